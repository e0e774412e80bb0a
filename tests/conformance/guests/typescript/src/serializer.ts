// The serializer of tests/conformance/README.md.

import { encode, serializer } from "#millrace";
import { convert, join } from "./codec.js";
import { configure } from "./shared.js";

export default serializer({
  init: configure,
  serialize: (payload, place) => join(encode("["), convert(payload, place), encode("]")),
});
