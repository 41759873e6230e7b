//! What can be set? Every setting once, with its name, its kind, its variable and why it exists.
//!
//! Files, the environment and the command `homing` all read by this table: a setting that is added to it can be said in
//! each of them, is listed by `homing config`, and is checked with its place. A test compares it with the fields of
//! [`Config`] and its parts.

mod rows;

use super::Config;
use crate::discovery::redis_url::without_password;
pub(super) use rows::SETTINGS;

/// What an error shows in the place of a secret.
pub(super) const HIDDEN: &str = "(not shown)";

/// One setting.
pub(crate) struct Setting {
    /// As in a file, with the table it is in before a dot, and as in [`Config`].
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    /// The variable that says it.
    pub(crate) variable: Option<&'static str>,
    /// The flag of the command `homing` that says it.
    pub(crate) flag: Option<&'static str>,
    /// What holds where nothing was said and its field is empty.
    pub(crate) unset: &'static str,
    /// One line.
    pub(crate) why: &'static str,
    /// What a config says of it, as text: nothing, one, or several. A secret is only said to be there.
    pub(super) read: fn(&Config) -> Vec<String>,
    /// Says it; of a list, adds one. The error is what would be right.
    pub(super) write: fn(&mut Config, &str) -> Result<(), String>,
}

/// What a setting is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    Text,
    /// A path; in a configuration file, seen from its directory.
    File,
    /// One or many.
    List,
    Number,
    Span,
    Switch,
    /// A text in which there may be a password: what is refused of it is shown without.
    Url,
    /// A secret, which stands in no file of settings.
    Secret,
    /// What only the program can say.
    Program,
    /// Rules, which have tables of their own.
    Rules,
}

impl Setting {
    /// The setting of this name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// What was given for it, as people may see it.
    pub(super) fn shown(&self, given: &str) -> String {
        match self.form {
            Form::Secret => HIDDEN.to_owned(),
            Form::Url => without_password(given),
            _ => given.to_owned(),
        }
    }

    /// Whether a configuration file may say it.
    pub(super) const fn is_for_files(&self) -> bool {
        !matches!(self.form, Form::Secret | Form::Program)
    }

    /// What a config says of it, where it differs from the default, or was insisted on.
    pub(super) fn is_said(&self, config: &Config) -> bool {
        config.heard.said.contains(self.name)
            || (self.read)(config) != (self.read)(&Config::default())
    }

    /// What it is by default, for people.
    pub(super) fn default(&self) -> String {
        match (self.read)(&Config::default()) {
            none if none.is_empty() => self.unset.to_owned(),
            some => some.join(", "),
        }
    }
}

/// What is to be said about a name that is no setting's: which may be meant.
pub(super) fn unknown(name: &str) -> String {
    use homing_core::name::{edits, likeness};
    let far = |setting: &&Setting| {
        let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
        // Also one that was looked for in another table.
        edits(name, setting.name).min(edits(&last(name), &last(setting.name)) + 1)
    };
    let nearest = SETTINGS.iter().min_by_key(far).filter(|near| far(near) <= likeness(name));
    match nearest {
        Some(near) => format!("there is no setting {name}: {} may be meant", near.name),
        None => format!("there is no setting {name}: `homing config` lists them"),
    }
}
