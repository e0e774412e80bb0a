//! What a plugin may be called.

use super::templates::Template;

/// The longest name that crates.io takes; Kafka's topics and groups take more.
const LONGEST: usize = 64;

/// Why a plugin can't have this name, if it can't. It becomes a folder, a package of
/// its language, and a part of the names of Kafka's topics and groups.
pub fn illegal(name: &str, template: &Template) -> Option<String> {
    let begins_well = name.starts_with(|c: char| c.is_ascii_lowercase());
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if name.contains('/') {
        Some(format!(
            "{name:?} is a path: NAME is the name alone, and the folder is made where you are"
        ))
    } else if !begins_well || !name.chars().all(legal) {
        Some(format!(
            "{name:?} can't be a plugin's name: it begins with a small letter, and holds small \
             letters, digits, '-' and '_', such as my-plugin"
        ))
    } else if name.len() > LONGEST {
        Some(format!(
            "a plugin's name has at most {LONGEST} characters, and this one has {}",
            name.len()
        ))
    } else if template.reserved.contains(&&*name.replace('-', "_")) {
        Some(format!(
            "{name:?} can't be a plugin's name: it means something else in {} already",
            template.language
        ))
    } else {
        None
    }
}
