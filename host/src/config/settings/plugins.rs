//! The plugins of a chain, as they are written: `[[plugin]]` once or several times,
//! and `--plugin` over them.

use toml_edit::ArrayOfTables;

use super::{ConfigError, File, Origin, Settings};

/// What stands before the keys of the first plugin, which is mostly the only one.
const FIRST: &str = "plugin.";

/// What stands before the keys of a plugin, which are counted from 0. Errors name
/// them so; in the file all of them are written below `[[plugin]]`.
pub fn section(number: usize) -> String {
    match number {
        0 => FIRST.to_owned(),
        _ => format!("plugin[{}].", number + 1),
    }
}

impl Settings {
    /// How many plugins there are settings of, at least 1.
    pub fn plugins(&self) -> usize {
        self.plugins.max(1)
    }

    /// Each `[[plugin]]` of the file.
    pub(super) fn take_plugins(
        &mut self,
        tables: &ArrayOfTables,
        file: &File<'_>,
    ) -> Result<(), ConfigError> {
        for (number, table) in tables.iter().enumerate() {
            let mut one = Self::default();
            one.take_table(FIRST, table, file)?;
            for (key, setting) in one.settings {
                self.settings
                    .insert(key.replacen(FIRST, &section(number), 1), setting);
            }
        }
        self.plugins = tables.len();
        Ok(())
    }

    /// `--plugin`, once or several times: as many as there are plugins take the places
    /// of their paths, and the other settings stay. Another number is the whole list.
    pub fn put_plugins(&mut self, paths: &[String]) -> Result<(), ConfigError> {
        const FLAG: &str = "--plugin";
        let known = self.plugins();
        if paths.len() != known && !paths.is_empty() {
            if paths.len() == 1 {
                return Err(ConfigError(format!(
                    "{FLAG} is given once, and there are {known} plugins ({}): give all of them, \
                     each with its {FLAG}, in order",
                    self.place(&format!("{}path", section(0)))
                )));
            }
            self.forget_plugins(paths.len())?;
        }
        for (number, path) in paths.iter().enumerate() {
            let key = format!("{}path", section(number));
            self.put(&key, path, Origin::Flag(FLAG));
        }
        Ok(())
    }

    /// What a flag says of each plugin.
    pub fn put_for_all_plugins(&mut self, name: &str, value: &str, origin: Origin) {
        for number in 0..self.plugins() {
            self.put(&format!("{}{name}", section(number)), value, origin.clone());
        }
    }

    /// Makes room for others. A setting that would be lost with them is an error.
    fn forget_plugins(&mut self, count: usize) -> Result<(), ConfigError> {
        let known = self.plugins();
        for number in 0..known {
            let section = section(number);
            let path = format!("{section}path");
            let lost = self
                .settings
                .keys()
                .find(|key| key.starts_with(&section) && **key != path);
            if let Some(lost) = lost {
                return Err(ConfigError(format!(
                    "{}: --plugin is given {count} times, and there are settings of {known}: which \
                     plugin this is for can't be told. Write the plugins in the file, each below \
                     its [[plugin]]",
                    self.place(lost)
                )));
            }
            self.settings.remove(&path);
        }
        self.plugins = count;
        Ok(())
    }

    /// What a command line says of `plugin.…` is said of one: with several, it does not
    /// say of which.
    pub fn check_plugins(&self) -> Result<(), ConfigError> {
        let count = self.plugins();
        let ambiguous = self.settings.iter().find(|(key, setting)| {
            key.starts_with(FIRST)
                && match setting.origin {
                    Origin::File { .. } | Origin::Environment(_) => false,
                    Origin::Set => true,
                    // --no-watch is meant for all.
                    Origin::Flag(flag) => flag != "--no-watch" && **key != format!("{FIRST}path"),
                }
        });
        match ambiguous {
            Some((key, _)) if count > 1 => Err(ConfigError(format!(
                "{}: there are {count} plugins, and this does not say which one it is for: write \
                 it in the file, below that plugin's [[plugin]]",
                self.place(key)
            ))),
            _ => Ok(()),
        }
    }
}
