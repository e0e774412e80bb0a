//! Projects in C.

use super::{File, Template, files};

const SDK: &[File] = files![
    ".",
    "guest-sdk/c/README.md",
    "guest-sdk/c/millrace.h",
    "guest-sdk/c/millrace.mk",
    "guest-sdk/c/millrace_json.h",
    "guest-sdk/c/millrace_test.h",
    "guest-sdk/c/yyjson/LICENSE",
    "guest-sdk/c/yyjson/yyjson.c",
    "guest-sdk/c/yyjson/yyjson.h",
];

pub const C: Template = Template {
    language: "c",
    code: "src",
    // Nothing in the project is called like the plugin.
    reserved: &[],
    sdk: SDK,
    shared: files![
        "host/templates/c",
        ".gitignore",
        "Makefile",
        "README.md",
        "compile_flags.txt",
    ],
    transform: files![
        "host/templates/c/transform",
        "src/plugin.c",
        "tests/expected.jsonl",
        "tests/in.jsonl",
        "tests/test.c",
    ],
    deserializer: files![
        "host/templates/c/deserializer",
        "src/plugin.c",
        "tests/expected.jsonl",
        "tests/in.jsonl",
        "tests/test.c",
    ],
    serializer: files![
        "host/templates/c/serializer",
        "src/plugin.c",
        "tests/expected.jsonl",
        "tests/in.jsonl",
        "tests/test.c",
    ],
};
