//! The flags that say how the user's code is called, with or without a broker.

use clap::Args;

use crate::config::{Origin, Settings};

/// Each flag sets one key of the pipeline file.
#[derive(Args)]
pub struct CodeArguments {
    /// Text handed to the plugin's init, or @FILE
    #[arg(long, value_name = "TEXT")]
    plugin_config: Option<String>,
    /// Put the real thing behind a virtual capability: clock, random, env:NAME
    #[arg(long, value_name = "CAP")]
    allow: Vec<String>,
    /// How keys are decoded: bytes, string, json, avro, avro-plain, json-schema, plugin:FILE
    /// [default: bytes]
    #[arg(long, value_name = "FORMAT")]
    decode_key: Option<String>,
    /// How values are decoded: in one of the same formats [default: bytes]
    #[arg(long, value_name = "FORMAT")]
    decode_value: Option<String>,
    /// How keys are encoded: in one of the same formats [default: bytes]
    #[arg(long, value_name = "FORMAT")]
    encode_key: Option<String>,
    /// How values are encoded: in one of the same formats [default: bytes]
    #[arg(long, value_name = "FORMAT")]
    encode_value: Option<String>,
    /// The schema registry's base URL; several, comma-separated, are tried in turn
    #[arg(long, value_name = "URL")]
    schema_registry: Option<String>,
}

impl CodeArguments {
    pub fn put(&self, settings: &mut Settings) {
        let allow = (!self.allow.is_empty()).then(|| self.allow.join(","));
        for (flag, key, value) in [
            (
                "--plugin-config",
                "plugin.config",
                self.plugin_config.clone(),
            ),
            ("--allow", "plugin.allow", allow),
            ("--decode-key", "decode.key", self.decode_key.clone()),
            ("--decode-value", "decode.value", self.decode_value.clone()),
            ("--encode-key", "encode.key", self.encode_key.clone()),
            ("--encode-value", "encode.value", self.encode_value.clone()),
            (
                "--schema-registry",
                "schema_registry.url",
                self.schema_registry.clone(),
            ),
        ] {
            if let Some(value) = value {
                settings.put(key, value, Origin::Flag(flag));
            }
        }
    }
}
