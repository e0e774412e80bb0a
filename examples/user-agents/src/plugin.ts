// Page views, as JSON: what the browser said of itself becomes its name and version, the
// operating system and the kind of device, by the npm package ua-parser-js. Views without
// it go on as they are. The plugin's configuration is the field's name ("user_agent").

import { UAParser } from "ua-parser-js";

import { type Message, type Verdict, forward, output, reject, transform } from "#millrace";

/** What goes out of one user agent; what the package does not know is left out. */
interface Agent {
  browser?: string;
  version?: string;
  os?: string;
  device: string;
}

/** Reading one is far more work than finding it here, and few differ. */
const KEPT = 1000;

class UserAgents {
  readonly #field: string;
  readonly #known = new Map<string, Agent>();

  constructor(config: string) {
    this.#field = config === "" ? "user_agent" : config;
  }

  transform(message: Message): Verdict {
    const view: unknown = message.json();
    if (typeof view !== "object" || view === null || Array.isArray(view)) {
      return reject("a page view is a JSON object");
    }
    const text: unknown = (view as Record<string, unknown>)[this.#field];
    if (text === undefined || text === null) {
      return forward;
    }
    if ("agent" in view) {
      return reject("agent is already there");
    }
    if (typeof text !== "string") {
      return reject(`${this.#field} is no text`);
    }
    // The text is kept: JSON.parse has rounded integers beyond 2^53.
    const kept = message.text().trimEnd().slice(0, -1);
    return output({ value: `${kept},"agent":${JSON.stringify(this.#read(text))}}` });
  }

  #read(text: string): Agent {
    let agent = this.#known.get(text);
    if (agent === undefined) {
      if (this.#known.size === KEPT) {
        this.#known.clear();
      }
      agent = read(text);
      this.#known.set(text, agent);
    }
    return agent;
  }
}

function read(text: string): Agent {
  const { browser, os, device } = UAParser(text);
  return {
    ...(browser.name !== undefined && { browser: browser.name }),
    ...(browser.major !== undefined && { version: browser.major }),
    ...(os.name !== undefined && { os: os.name }),
    device: device.type ?? "desktop",
  };
}

export default transform(UserAgents);
