//! What does a configuration file say?
//!
//! TOML, read by the [table](super::table) of settings. A key that is not known is refused, for a setting that is ignored
//! is worse than none.

use super::Config;
use super::layers::no_such;
use super::table::{Form, SETTINGS, Setting};
use crate::access::AccessList;
use crate::error::ConfigError;
use crate::security::files;
use homing_core::limits::CONFIG_FILE_MAX;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::Path;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What a file says.
#[derive(Clone, Debug)]
pub(crate) struct FileSettings {
    pub(super) path: Arc<Path>,
    pub(super) said: Vec<Said>,
    pub(crate) access: Option<AccessList>,
}

/// One setting in a file.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) name: &'static str,
    pub(super) line: usize,
    /// The value, or each of several, with its line.
    pub(super) texts: Vec<(String, usize)>,
}

impl FileSettings {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, others can write it, or something in it is not right.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let bad = |problem: String| ConfigError::new("config", &path.display(), problem);
        let text =
            files::read_settings(path, CONFIG_FILE_MAX).map_err(|fault| bad(fault.of_it()))?;
        let mut settings = Self::parse(&text).map_err(bad)?;
        settings.path = path.into();
        settings.stand_in(path.parent().unwrap_or(Path::new("")));
        Ok(settings)
    }

    /// Reads what a file would say, of no path.
    ///
    /// # Errors
    /// Something in it is not right: in which line, and what would be.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Rules {
            access: Option<AccessList>,
        }
        let table = DeTable::parse(text).map_err(|error| at_line(text, &error))?;
        let mut reader = Reader { text, said: Vec::new(), scratch: Config::default() };
        reader.read("", table.get_ref())?;
        let Rules { access } = parse(text)?;
        Ok(Self { path: Path::new("").into(), said: reader.said, access })
    }

    /// What it says, without the lines, for comparisons.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn texts(&self) -> Vec<(&'static str, Vec<&str>)> {
        self.said
            .iter()
            .map(|said| (said.name, said.texts.iter().map(|(text, _)| text.as_str()).collect()))
            .collect()
    }

    pub(super) fn wrong(
        &self,
        line: usize,
        setting: &Setting,
        given: &str,
        right: &str,
    ) -> ConfigError {
        let problem = wrong(line, setting, given, right);
        ConfigError::new("config", &self.path.display(), problem)
    }

    /// Makes paths what they are seen from the file's directory.
    fn stand_in(&mut self, directory: &Path) {
        let is_path = |said: &&mut Said| {
            Setting::named(said.name).is_some_and(|setting| setting.form == Form::File)
        };
        for said in self.said.iter_mut().filter(is_path) {
            // `-` is stderr, for the audit log.
            for (text, _) in said.texts.iter_mut().filter(|(text, _)| text != "-") {
                *text = directory.join(&*text).display().to_string();
            }
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    said: Vec<Said>,
    /// Where each value is tried.
    scratch: Config,
}

impl Reader<'_> {
    fn read(&mut self, within: &str, table: &DeTable<'_>) -> Result<(), String> {
        for (key, value) in table {
            let name = match within {
                "" => key.get_ref().to_string(),
                _ => format!("{within}.{}", key.get_ref()),
            };
            let line = line_of(self.text, key.span().start);
            let is_table = SETTINGS.iter().any(|setting| {
                setting.name.strip_prefix(&name).is_some_and(|rest| rest.starts_with('.'))
            });
            match (Setting::named(&name), value.get_ref()) {
                (Some(setting), _) if setting.is_for_files() => {
                    self.take(setting, line, value)?;
                }
                (Some(setting), _) => {
                    let otherwise = otherwise(setting);
                    return Err(format!(
                        "line {line}: {name} cannot be said in a file: {otherwise}"
                    ));
                }
                (None, DeValue::Table(inner)) if is_table => self.read(&name, inner)?,
                (None, _) if is_table => {
                    return Err(format!("line {line}: {name} is a table: [{name}]"));
                }
                (None, _) => return Err(format!("line {line}: {}", no_such(&name))),
            }
        }
        Ok(())
    }

    fn take(
        &mut self,
        setting: &'static Setting,
        line: usize,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), String> {
        let all: Vec<&Spanned<DeValue<'_>>> = match (setting.form, value.get_ref()) {
            (Form::Rules, _) => Vec::new(),
            (Form::List, DeValue::Array(all)) => all.iter().collect(),
            _ => vec![value],
        };
        let mut texts = Vec::new();
        for value in all {
            let line = line_of(self.text, value.span().start);
            let text = text_of(setting.form, value.get_ref()).ok_or_else(|| {
                format!("line {line}: {} is {}", setting.name, kind(setting.form))
            })?;
            (setting.write)(&mut self.scratch, &text)
                .map_err(|right| wrong(line, setting, &text, &right))?;
            texts.push((text, line));
        }
        self.said.push(Said { name: setting.name, line, texts });
        Ok(())
    }
}

/// The text of a value of this form; none where it is of another.
fn text_of(form: Form, value: &DeValue<'_>) -> Option<String> {
    match (form, value) {
        (Form::Number, DeValue::Integer(number)) => {
            let number = i128::from_str_radix(number.as_str(), number.radix()).ok()?;
            Some(number.to_string())
        }
        (Form::Switch, DeValue::Boolean(value)) => Some(value.to_string()),
        (Form::Text | Form::File | Form::List | Form::Span | Form::Url, DeValue::String(text)) => {
            Some(text.to_string())
        }
        _ => None,
    }
}

const fn kind(form: Form) -> &'static str {
    match form {
        Form::Text | Form::Url | Form::Secret => "a text: \"…\"",
        Form::File => "a path: \"…\"",
        Form::List => "a text or a list of texts: [\"…\", \"…\"]",
        Form::Number => "a whole number",
        Form::Span => "a text with a number and a unit: \"5s\"",
        Form::Switch => "true or false",
        Form::Program => "for the program to say",
        Form::Rules => "a list of tables: [[access]]",
    }
}

/// How a setting is said that no file can say.
fn otherwise(setting: &Setting) -> String {
    let file = Setting::named(&format!("{}_file", setting.name));
    match (file, setting.flag) {
        (Some(file), _) => format!("{} names the file that has it", file.name),
        (None, Some(flag)) => format!("by {flag} only"),
        (None, None) => "by the program only".to_owned(),
    }
}

fn wrong(line: usize, setting: &Setting, given: &str, right: &str) -> String {
    let given: String = setting.shown(given).chars().take(64).collect();
    format!("line {line}: {} {given:?}: {right}", setting.name)
}

/// Reads TOML; an error says in which line what is wrong.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| at_line(text, &error))
}

fn at_line(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().trim_end().replace('\n', ", ");
    match error.span() {
        Some(span) => format!("line {}: {message}", line_of(text, span.start)),
        None => message,
    }
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
