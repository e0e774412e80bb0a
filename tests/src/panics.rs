//! Why a test fails, kept to be said again behind what its hosts logged: a log
//! that is cut has its end.

use std::cell::RefCell;
use std::panic;
use std::sync::Once;

thread_local! {
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on each thread knows what it panicked with. The usual hook comes first.
pub(crate) fn remember() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            usual(info);
            // Without its backtrace.
            let said = info.to_string();
            let _ = LAST.try_with(|last| *last.borrow_mut() = Some(said));
        }));
    });
}

/// What this thread panicked with last.
pub(crate) fn last() -> Option<String> {
    LAST.try_with(|last| last.borrow().clone()).ok().flatten()
}
