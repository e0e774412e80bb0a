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
    additional_derives: [PartialEq, Eq],
    pub_export_macro: true,
    export_macro_name: "export_transformer",
    default_bindings_module: "millrace_sdk::bindings",
});
