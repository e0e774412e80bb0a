// The deserializer of tests/conformance/README.md.

import { deserializer } from "#millrace";
import { convert } from "./codec.js";
import { configure } from "./shared.js";

export default deserializer({ init: configure, deserialize: convert });
