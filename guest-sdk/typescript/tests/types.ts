// What the types allow and refuse: `tsc --noEmit` is the test.

import { type Transform, type Verdict, deserializer, drop, fail, forward, output, reject, serializer, transform } from "../index.js";

transform((message, source) => (message.value === null ? drop : output({ topic: source.topic })));
transform((): Verdict => [output({ key: null, value: "text" }), output({ value: new Uint8Array() })]);
transform(
  class {
    least: number;
    constructor(config: string) {
      this.least = Number(config);
    }
    transform() {
      return this.least > 0 ? forward : fail("cold");
    }
  },
);
class Batched implements Pick<Transform & { transformBatch: unknown }, "transformBatch"> {
  transformBatch(messages: readonly unknown[]): Verdict[] {
    return messages.map(() => drop);
  }
}
transform(Batched);
transform({
  init(config: string) {
    if (config !== "") {
      reject("nothing to configure");
    }
  },
  transform: ({ offset }) => output({ timestamp: offset, headers: [["a", null], { name: "b", value: "c" }] }),
});
deserializer((payload, { field, topic }) => `${field}${topic}${payload.length}`);
serializer({ serialize: (payload) => payload, serializeBatch: undefined });

// @ts-expect-error Nothing is no verdict.
transform(() => {});
// @ts-expect-error A plugin can't wait.
transform(async () => forward);
// @ts-expect-error A text is no verdict.
transform(() => "text");
// @ts-expect-error An output has no such part.
output({ values: "" });
// @ts-expect-error A number is no payload.
output({ value: 1 });
// @ts-expect-error Forward takes no copies.
transform((): Verdict => ({ tag: "forward" }));
