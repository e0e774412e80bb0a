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
        "the plugin wanted more memory than plugin.memory allows (100 bytes)"
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
