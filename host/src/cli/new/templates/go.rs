//! Projects in Go.

use super::{File, Template, files};

const SDK: &[File] = files![
    ".",
    "guest-sdk/go/README.md",
    "guest-sdk/go/deserializer/deserializer.go",
    "guest-sdk/go/deserializer/exports_wasip1.go",
    "guest-sdk/go/go.mod",
    "guest-sdk/go/internal/abi/blocks_wasip1.go",
    "guest-sdk/go/internal/abi/layout.go",
    "guest-sdk/go/internal/abi/lift.go",
    "guest-sdk/go/internal/abi/lower.go",
    "guest-sdk/go/internal/abi/memory_native.go",
    "guest-sdk/go/internal/abi/memory_wasip1.go",
    "guest-sdk/go/internal/call/call.go",
    "guest-sdk/go/internal/run/run.go",
    "guest-sdk/go/log.go",
    "guest-sdk/go/log_wasip1.go",
    "guest-sdk/go/message.go",
    "guest-sdk/go/millrace.go",
    "guest-sdk/go/millrace.mk",
    "guest-sdk/go/output.go",
    "guest-sdk/go/serializer/exports_wasip1.go",
    "guest-sdk/go/serializer/serializer.go",
    "guest-sdk/go/transform/exports_wasip1.go",
    "guest-sdk/go/transform/transform.go",
];

pub const GO: Template = Template {
    language: "go",
    code: "main.go",
    // What the module and its SDK are called already.
    reserved: &["main", "millrace"],
    sdk: SDK,
    shared: files![
        "host/templates/go",
        ".gitignore",
        "Makefile",
        "README.md",
        "go.mod",
    ],
    transform: files![
        "host/templates/go/transform",
        "main.go",
        "main_test.go",
        "tests/expected.jsonl",
        "tests/in.jsonl",
    ],
    deserializer: files![
        "host/templates/go/deserializer",
        "main.go",
        "main_test.go",
        "tests/expected.jsonl",
        "tests/in.jsonl",
    ],
    serializer: files![
        "host/templates/go/serializer",
        "main.go",
        "main_test.go",
        "tests/expected.jsonl",
        "tests/in.jsonl",
    ],
};
