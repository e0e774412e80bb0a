//! Projects in Python.

use super::{File, Template, files};

const SDK: &[File] = files![
    ".",
    "guest-sdk/python/README.md",
    "guest-sdk/python/millrace/__init__.py",
    "guest-sdk/python/millrace/_component.py",
    "guest-sdk/python/millrace/_errors.py",
    "guest-sdk/python/millrace/_message.py",
    "guest-sdk/python/millrace/_network.py",
    "guest-sdk/python/millrace/_output.py",
    "guest-sdk/python/millrace/_plugin.py",
    "guest-sdk/python/millrace/_reject.py",
    "guest-sdk/python/millrace/_runtime.py",
    "guest-sdk/python/millrace/build.py",
    "guest-sdk/python/millrace/log.py",
    "guest-sdk/python/millrace/no_network.wasm",
    "guest-sdk/python/millrace/py.typed",
    "guest-sdk/python/python.mk",
    "guest-sdk/python/requirements.txt",
];

pub const PYTHON: Template = Template {
    language: "python",
    code: "src",
    // Nothing in the project is called like the plugin.
    reserved: &[],
    sdk: SDK,
    shared: files![
        "host/templates/python",
        ".gitignore",
        "Makefile",
        "README.md",
        "pyproject.toml",
        "requirements.txt",
    ],
    transform: files![
        "host/templates/python/transform",
        "src/plugin.py",
        "tests/expected.jsonl",
        "tests/in.jsonl",
        "tests/test_plugin.py",
    ],
    deserializer: files![
        "host/templates/python/deserializer",
        "src/plugin.py",
        "tests/expected.jsonl",
        "tests/in.jsonl",
        "tests/test_plugin.py",
    ],
    serializer: files![
        "host/templates/python/serializer",
        "src/plugin.py",
        "tests/expected.jsonl",
        "tests/in.jsonl",
        "tests/test_plugin.py",
    ],
};
