#!/usr/bin/env node
// Builds a plugin: `millrace-build src/plugin.ts -o plugin.wasm`. esbuild makes one
// module of the user's code, its packages and the SDK; componentize-qjs makes a
// component of that and QuickJS.

import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

import { pluginsOf } from "../lib/runtime.js";
import { concat, mendValues } from "./values.js";

const SDK = dirname(dirname(fileURLToPath(import.meta.url)));
const CONTRACT = resolve(SDK, "../../wit");
const COMPONENTIZE = "0.4.5"; // values.js knows what it makes.

const USAGE = `usage: millrace-build PLUGIN.ts|PLUGIN.js -o PLUGIN.wasm [--minify] [--force]`;

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      output: { type: "string", short: "o" },
      minify: { type: "boolean", default: false },
      force: { type: "boolean", default: false },
    },
  });
  if (positionals.length !== 1 || values.output === undefined) {
    throw new Failure(USAGE);
  }
  const scratch = mkdtempSync(join(tmpdir(), "millrace-build-"));
  try {
    await build(positionals[0], values, scratch);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

async function build(source, { output, minify, force }, scratch) {
  const { esbuild, componentize } = tools();
  const kinds = await kindsOf(await bundle(esbuild, source, scratch, { trial: true }), scratch);
  const built = await bundle(esbuild, source, scratch, { kinds, minify });
  const wit = join(scratch, "wit");
  cpSync(CONTRACT, wit, { recursive: true });
  cpSync(join(SDK, "wit"), wit, { recursive: true });
  writeFileSync(join(wit, "guest.wit"), world(kinds));

  // The same source makes the same component as far as it is up to us. QuickJS's
  // snapshot has the build's time and random numbers in it, so what was built of just
  // this is kept.
  const digest = digestOf(built, ...filesBelow(wit), ...filesBelow(join(SDK, "build")));
  if (!force && digestIn(output) === digest) {
    console.log(`${output} is up to date`);
    return;
  }
  const { component } = await componentize({
    witPath: wit,
    world: "guest",
    jsSource: built,
    sync: true,
  });
  const done = concat([mendValues(new Uint8Array(component)), section("millrace-source", digest), section("producers", PRODUCERS)]);
  writeFileSync(`${output}.part`, done);
  renameSync(`${output}.part`, output); // A running host may be watching it.
  console.log(`${output}: ${kinds.join(", ")}, ${(done.length / 2 ** 20).toFixed(1)} MiB`);
}

/** esbuild and componentize-qjs, which are the project's own. */
function tools() {
  const require = createRequire(join(process.cwd(), "package.json"));
  const load = (name) => {
    try {
      return require(name);
    } catch (error) {
      throw new Failure(`${name} is not installed here: npm ci (${error.message.split("\n")[0]})`);
    }
  };
  const { version } = load("componentize-qjs/package.json");
  if (version !== COMPONENTIZE) {
    throw new Failure(`componentize-qjs is ${version} here, and this SDK takes ${COMPONENTIZE}: npm install --save-dev --save-exact componentize-qjs@${COMPONENTIZE}`);
  }
  return { esbuild: load("esbuild"), componentize: load("componentize-qjs").componentize };
}

/**
 * The plugin as one module: for a trial in Node, or for a component, with its source
 * map's mappings at its head.
 */
async function bundle(esbuild, source, scratch, { trial = false, kinds = [], minify = false }) {
  const from = (path) => JSON.stringify(join(SDK, "lib", path));
  const entry = trial
    ? `export { default } from ${JSON.stringify(resolve(source))};`
    : `import ${from("globals.js")};
import { serve } from ${from("runtime.js")};
import plugin from ${JSON.stringify(resolve(source))};
const served = serve(plugin);
${kinds.map((kind) => `export const ${kind} = served.${kind};`).join("\n")}
`;
  let result;
  try {
    result = await esbuild.build({
      stdin: { contents: entry, resolveDir: process.cwd(), sourcefile: "sdk:entry", loader: "js" },
      bundle: true,
      write: false,
      outdir: scratch,
      format: "esm",
      target: "es2022",
      platform: trial ? "node" : "neutral",
      mainFields: ["module", "main"],
      conditions: ["import", "module", "default"],
      external: ["millrace:*", "wasi:*"],
      sourcemap: "external",
      sourcesContent: false,
      minify,
      keepNames: minify,
      charset: "utf8",
      logLevel: "silent",
    });
  } catch (error) {
    const messages = await esbuild.formatMessages(error.errors ?? [], { kind: "error", color: process.stderr.isTTY });
    throw messages.length > 0 ? new Failure(messages.join("")) : error;
  }
  const file = (end) => result.outputFiles.find(({ path }) => path.endsWith(end)).text;
  const code = file(".js");
  if (trial) {
    return code;
  }
  const map = JSON.parse(file(".map"));
  const sources = map.sources.map((path) => shownPath(resolve(scratch, path)));
  return `globalThis.__millrace = { map: ${JSON.stringify({ offset: 1, sources, mappings: map.mappings })} };\n${code}`;
}

/** A source's path as a reason shows it: from the project's folder; the SDK's apart. */
function shownPath(path) {
  const inSdk = relative(SDK, path);
  return inSdk.startsWith("..") && !path.includes("sdk:") ? relative(process.cwd(), path) : `sdk:${inSdk}`;
}

/** Which interfaces the plugin's default export has: its module runs here for that. */
async function kindsOf(code, scratch) {
  const file = join(scratch, "trial.mjs");
  writeFileSync(file, code);
  let exported;
  try {
    exported = (await import(pathToFileURL(file))).default;
  } catch (error) {
    throw new Failure(`the plugin's module does not load: ${error.stack ?? error}`);
  }
  try {
    return pluginsOf(exported).map(({ kind }) => kind);
  } catch (error) {
    throw new Failure(error.message);
  }
}

function world(kinds) {
  return `package millrace:plugin@0.1.0;

world guest {
    import log;
    import wasi:cli/environment@0.2.12;
    import wasi:random/random@0.2.12;
${kinds.map((kind) => `    export ${kind};`).join("\n")}
}
`;
}

function digestOf(...parts) {
  const hash = createHash("sha256");
  for (const part of parts) {
    hash.update(String(part.length)).update("\n").update(part);
  }
  return hash.digest("hex");
}

/** What the files below a folder are called there, and what they hold. */
function filesBelow(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map(({ parentPath, path, name }) => join(parentPath ?? path, name)).sort();
  return paths.flatMap((path) => [relative(folder, path), readFileSync(path)]);
}

/** The digest of what a component was built of, if it says so. */
function digestIn(file) {
  try {
    const tail = readFileSync(file).subarray(-1024).toString("latin1");
    return /millrace-source([0-9a-f]{64})/.exec(tail)?.[1];
  } catch {
    return undefined;
  }
}

const size = (length) => (length < 0x80 ? [length] : [(length & 0x7f) | 0x80, length >> 7]);
const vector = (bytes) => [...size(bytes.length), ...bytes];
const text = (string) => vector(Buffer.from(string));

/** A custom section. */
function section(name, content) {
  const body = [...text(name), ...Buffer.from(content)];
  return Uint8Array.from([0, ...vector(body)]);
}

/** What it was made with and of, where tools look for that. */
const PRODUCERS = Uint8Array.from([
  2,
  ...text("language"), 1, ...text("JavaScript"), ...text("ES2022"),
  ...text("processed-by"), 1, ...text("componentize-qjs"), ...text(COMPONENTIZE),
]);

/** What the user has to be told, without a stack. */
class Failure extends Error {}

main().catch((error) => {
  console.error(`millrace-build: ${error instanceof Failure ? error.message : error.stack}`);
  process.exitCode = 1;
});
