use super::*;

#[test]
fn memories_and_tables_are_summed() {
    let mut limits = Limits::new(100);
    assert!(limits.memory_growing(0, 40, None).unwrap());
    assert!(limits.memory_growing(0, 40, None).unwrap());
    assert!(limits.table_growing(0, 2, None).unwrap());
    assert!(limits.memory_growing(40, 44, None).unwrap());
    assert!(limits.memory_growing(40, 41, None).is_err());
}

#[test]
fn growing_counts_only_what_is_added() {
    let mut limits = Limits::new(100);
    for size in 0..100 {
        assert!(limits.memory_growing(size, size + 1, None).unwrap());
    }
}

#[test]
fn what_goes_beyond_the_limit_is_an_error_that_names_it() {
    let mut limits = Limits::new(100);
    let error = limits.memory_growing(0, 101, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "wanted more memory than plugin.memory allows (100 bytes)"
    );
    // What was refused is not counted.
    assert!(limits.memory_growing(0, 100, None).unwrap());
}

#[test]
fn no_size_overflows_the_sum() {
    let mut limits = Limits::new(usize::MAX - 1);
    assert!(limits.memory_growing(0, 7, None).unwrap());
    assert!(limits.memory_growing(0, usize::MAX, None).is_err());
    assert!(limits.table_growing(0, usize::MAX, None).is_err());
}

/// An instance that used so much after its `init`, of 1000.
fn begun(used: usize) -> Limits {
    let mut limits = Limits::new(1000);
    limits.memory_growing(0, used, None).unwrap();
    limits.begin();
    limits
}

#[test]
fn three_quarters_of_what_is_left_after_init_are_enough() {
    let mut limits = begun(200);
    assert_eq!(limits.grown_enough(), None);
    limits.memory_growing(200, 800, None).unwrap();
    assert_eq!(limits.grown_enough(), None);
    limits.memory_growing(800, 801, None).unwrap();
    assert_eq!(limits.grown_enough(), Some(801));
}

#[test]
fn an_instance_that_does_not_grow_is_never_replaced() {
    for used in [0, 1, 999, 1000] {
        assert_eq!(begun(used).grown_enough(), None, "{used}");
    }
}

#[test]
fn what_init_takes_is_not_a_leak() {
    let mut limits = Limits::new(1000);
    limits.memory_growing(0, 1000, None).unwrap();
    assert_eq!(limits.grown_enough(), None);
}
