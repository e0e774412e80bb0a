//! Projects in TypeScript and JavaScript.

use super::{File, Template, files};

const SDK: &[File] = files![
    ".",
    "guest-sdk/typescript/README.md",
    "guest-sdk/typescript/build/main.js",
    "guest-sdk/typescript/build/values.js",
    "guest-sdk/typescript/globals.d.ts",
    "guest-sdk/typescript/index.d.ts",
    "guest-sdk/typescript/index.js",
    "guest-sdk/typescript/lib/env.js",
    "guest-sdk/typescript/lib/errors.js",
    "guest-sdk/typescript/lib/globals.js",
    "guest-sdk/typescript/lib/log.js",
    "guest-sdk/typescript/lib/message.js",
    "guest-sdk/typescript/lib/output.js",
    "guest-sdk/typescript/lib/plugin.js",
    "guest-sdk/typescript/lib/runtime.js",
    "guest-sdk/typescript/lib/stack.js",
    "guest-sdk/typescript/lib/text.js",
    "guest-sdk/typescript/package.json",
    "guest-sdk/typescript/typescript.mk",
    "guest-sdk/typescript/wit/deps/cli/cli.wit",
    "guest-sdk/typescript/wit/deps/random/random.wit",
];

pub const TYPESCRIPT: Template = Template {
    language: "typescript",
    code: "src",
    // Names that npm refuses.
    reserved: &["node_modules"],
    sdk: SDK,
    shared: files![
        "host/templates/typescript",
        ".gitignore",
        "Makefile",
        "README.md",
        "package-lock.json",
        "package.json",
        "tests/tsconfig.json",
        "tsconfig.json",
    ],
    transform: files![
        "host/templates/typescript/transform",
        "src/plugin.ts",
        "tests/expected.jsonl",
        "tests/in.jsonl",
        "tests/plugin.test.ts",
    ],
    deserializer: files![
        "host/templates/typescript/deserializer",
        "src/plugin.ts",
        "tests/expected.jsonl",
        "tests/in.jsonl",
        "tests/plugin.test.ts",
    ],
    serializer: files![
        "host/templates/typescript/serializer",
        "src/plugin.ts",
        "tests/expected.jsonl",
        "tests/in.jsonl",
        "tests/plugin.test.ts",
    ],
};

pub const JAVASCRIPT: Template = Template {
    language: "javascript",
    code: "src",
    // Names that npm refuses.
    reserved: &["node_modules"],
    sdk: SDK,
    shared: files![
        "host/templates/javascript",
        ".gitignore",
        "Makefile",
        "README.md",
        "jsconfig.json",
        "package-lock.json",
        "package.json",
    ],
    transform: files![
        "host/templates/javascript/transform",
        "src/plugin.js",
        "tests/expected.jsonl",
        "tests/in.jsonl",
        "tests/plugin.test.js",
    ],
    deserializer: files![
        "host/templates/javascript/deserializer",
        "src/plugin.js",
        "tests/expected.jsonl",
        "tests/in.jsonl",
        "tests/plugin.test.js",
    ],
    serializer: files![
        "host/templates/javascript/serializer",
        "src/plugin.js",
        "tests/expected.jsonl",
        "tests/in.jsonl",
        "tests/plugin.test.js",
    ],
};
