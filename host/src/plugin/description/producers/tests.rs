use super::*;

/// A core module of so many zeros that says this.
fn module(producers: &str, size: usize) -> String {
    let data = "\\00".repeat(size);
    format!("(core module (memory 1) (data (i32.const 0) \"{data}\") (@producers {producers}))")
}

fn language(modules: &[String]) -> Option<String> {
    let component = format!("(component {})", modules.concat());
    of(&wat::parse_str(component).unwrap()).language()
}

#[test]
fn the_largest_module_says_the_language() {
    let adapter = module("(processed-by \"rustc\" \"1.95.0\")", 10);
    let own = module(
        "(language \"C11\" \"\") (processed-by \"clang\" \"21\")",
        1000,
    );
    assert_eq!(
        language(&[adapter.clone(), own.clone()]).as_deref(),
        Some("C")
    );
    assert_eq!(language(&[own, adapter]).as_deref(), Some("C"));
}

#[test]
fn each_language_is_told_by_what_its_tools_say() {
    for (producers, wanted) in [
        (
            "(language \"Rust\" \"\") (language \"C11\" \"\") (processed-by \"rustc\" \"1\")",
            Some("Rust"),
        ),
        (
            "(language \"C11\" \"\") (language \"Rust\" \"\") (processed-by \"rustc\" \"1\")",
            Some("Rust"),
        ),
        ("(language \"C99\" \"\")", Some("C")),
        ("(language \"C_plus_plus_14\" \"\")", Some("C++")),
        (
            "(language \"Go\" \"1.25\") (processed-by \"Go cmd/compile\" \"1.25\")",
            Some("Go"),
        ),
        (
            "(language \"C99\" \"\") (processed-by \"TinyGo\" \"0.40\")",
            Some("Go"),
        ),
        (
            "(language \"C11\" \"\") (processed-by \"componentize-py\" \"0.17\")",
            Some("Python"),
        ),
        (
            "(language \"Rust\" \"\") (processed-by \"rustc\" \"1\") (processed-by \"ComponentizeJS\" \"0.19\")",
            Some("JavaScript"),
        ),
        ("(language \"Zig\" \"\")", Some("Zig")),
        ("(processed-by \"wit-component\" \"0.2\")", None),
    ] {
        let found = language(&[module(producers, 10)]);
        assert_eq!(found.as_deref(), wanted, "{producers}");
    }
    assert_eq!(language(&[]), None);
}

#[test]
fn the_tools_are_listed_with_their_versions() {
    let module = module(
        "(processed-by \"rustc\" \"1.95.0\") (sdk \"mine\" \"2\")",
        10,
    );
    let component = wat::parse_str(format!("(component {module})")).unwrap();
    let tools = of(&component).into_tools();
    let tools: Vec<_> = tools.iter().map(|it| (&*it.name, &*it.version)).collect();
    assert_eq!(tools, [("mine", "2"), ("rustc", "1.95.0")]);
}

#[test]
fn bytes_that_are_no_component_say_nothing() {
    let component = wat::parse_str(format!(
        "(component {})",
        module("(language \"C11\" \"\")", 10)
    ));
    let component = component.unwrap();
    for end in 0..component.len() {
        of(&component[..end]);
    }
    assert_eq!(of(b"hello"), Producers::default());
}
