//! What wasmtime generates from the contract, and nothing else.
//!
//! Borrowed ownership, so that a batch is lowered straight from librdkafka's
//! memory into the guest's.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "transformer",
    ownership: Borrowing { duplicate_if_necessary: true },
});
