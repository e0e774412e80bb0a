import assert from "node:assert/strict";
import { test } from "node:test";

import { Output, fail, forward } from "#millrace";
import plugin from "../src/plugin.js";

const FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const IPHONE =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";

function read(view: unknown, config = ""): unknown {
  const verdict = plugin.start(config).transform({ value: JSON.stringify(view) });
  return verdict instanceof Output ? verdict.json() : verdict;
}

test("a page view gets its browser, system and device", () => {
  assert.deepEqual(read({ page: "/", user_agent: FIREFOX }), {
    page: "/",
    user_agent: FIREFOX,
    agent: { browser: "Firefox", version: "145", os: "Linux", device: "desktop" },
  });
  const { agent } = read({ user_agent: IPHONE }) as { agent: unknown };
  assert.deepEqual(agent, { browser: "Mobile Safari", version: "18", os: "iOS", device: "mobile" });
});

test("the field is named by the configuration", () => {
  const { agent } = read({ ua: FIREFOX }, "ua") as { agent: { browser: string } };
  assert.equal(agent.browser, "Firefox");
});

test("a view without a user agent goes on as it is", () => {
  assert.equal(read({ page: "/" }), forward);
  assert.equal(read({ user_agent: null }), forward);
  assert.equal(read({ agent: 1 }), forward);
});

test("what it does not touch stays as it was, to the digit", () => {
  const verdict = plugin.start().transform({ value: '{ "id": 9007199254740993, "user_agent": "x" }\n' });
  assert.ok(verdict instanceof Output);
  assert.equal(verdict.text(), '{ "id": 9007199254740993, "user_agent": "x" ,"agent":{"device":"desktop"}}');
});

test("an agent that nobody knows is a desktop of its own", () => {
  assert.deepEqual(read({ user_agent: "x" }), { user_agent: "x", agent: { device: "desktop" } });
});

test("what is no page view fails with the reason", () => {
  assert.deepEqual(read([FIREFOX]), fail("a page view is a JSON object"));
  assert.deepEqual(read({ user_agent: "x", agent: 1 }), fail("agent is already there"));
  assert.deepEqual(read({ user_agent: 1 }), fail("user_agent is no text"));
});

test("more agents than are kept are read all the same", () => {
  const started = plugin.start();
  for (let at = 0; at < 1002; at += 1) {
    const verdict = started.transform({ value: JSON.stringify({ user_agent: `Firefox/${at}.0` }) });
    assert.ok(verdict instanceof Output);
    assert.equal(verdict.json().agent.version, String(at));
  }
});
