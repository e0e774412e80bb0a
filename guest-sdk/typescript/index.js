// Write Millrace plugins in TypeScript and JavaScript. What it all means stands in
// index.d.ts, where editors look; README.md is where to begin.

export { env } from "./lib/env.js";
export { Reject, reject } from "./lib/errors.js";
export { log } from "./lib/log.js";
export { Message, message } from "./lib/message.js";
export { Fail, Output, drop, fail, forward, output } from "./lib/output.js";
export { Plugin, deserializer, serializer, transform } from "./lib/plugin.js";
export { decode, encode } from "./lib/text.js";
