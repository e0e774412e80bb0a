//! What wit-bindgen makes of the contract in `wit/`, and nothing else.

#![allow(
    missing_docs,
    unsafe_code,
    clippy::mem_forget,
    reason = "generated; what a plugin sees of it is documented in the WIT"
)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "transformer",
    // `field` is the codecs', who take their types from here.
    generate_unused_types: true,
    additional_derives: [PartialEq, Eq],
    pub_export_macro: true,
    export_macro_name: "export_transformer",
    default_bindings_module: "millrace_sdk::bindings",
});

pub mod decoder {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "decoder",
        with: {
            "millrace:plugin/types@0.1.0": crate::bindings::millrace::plugin::types,
            "millrace:plugin/log@0.1.0": crate::bindings::millrace::plugin::log,
        },
        pub_export_macro: true,
        export_macro_name: "export_decoder",
        default_bindings_module: "millrace_sdk::bindings::decoder",
    });
}

pub mod encoder {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "encoder",
        with: {
            "millrace:plugin/types@0.1.0": crate::bindings::millrace::plugin::types,
            "millrace:plugin/log@0.1.0": crate::bindings::millrace::plugin::log,
        },
        pub_export_macro: true,
        export_macro_name: "export_encoder",
        default_bindings_module: "millrace_sdk::bindings::encoder",
    });
}
