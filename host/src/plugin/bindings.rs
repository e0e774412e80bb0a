//! What wasmtime generates from the contract, and nothing else.
//!
//! Borrowed ownership, so that a batch is lowered straight from librdkafka's
//! memory into the guest's.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "transformer",
    ownership: Borrowing { duplicate_if_necessary: true },
});

pub mod decoder {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "decoder",
        ownership: Borrowing { duplicate_if_necessary: true },
        with: {
            "millrace:plugin/types": super::millrace::plugin::types,
            "millrace:plugin/log": super::millrace::plugin::log,
        },
    });
}

pub mod encoder {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "encoder",
        ownership: Borrowing { duplicate_if_necessary: true },
        with: {
            "millrace:plugin/types": super::millrace::plugin::types,
            "millrace:plugin/log": super::millrace::plugin::log,
        },
    });
}
