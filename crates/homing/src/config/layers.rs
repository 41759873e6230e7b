//! Who says a setting? The program, or else the environment, or else a file, or nobody.

use super::file::FileSettings;
use super::settings::{Environment, text};
use super::table::{Form, HIDDEN, SETTINGS, Setting, unknown};
use super::{Config, Defaults};
use crate::error::ConfigError;
use crate::info::words;
use crate::security::Authority;
use homing_core::name::{edits, likeness};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a setting was said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Origin {
    /// In this variable.
    Environment(&'static str),
    /// In this line of the configuration file.
    File(Arc<Path>, usize),
}

/// Who said what of a config.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    /// What the program insists on by name, also where it is the default.
    pub(super) said: BTreeSet<&'static str>,
    /// Where the environment or the file said it, once they were heard.
    origins: BTreeMap<&'static str, Origin>,
    /// Certificates that were said one by one.
    pub(super) certificates: Certificates,
}

/// The certificates of an authority as they are said: one by one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Certificates {
    pub(crate) ca: Option<PathBuf>,
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

/// One setting, as it holds and where it comes from.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SettingInfo {
    /// Its name: the key in a configuration file, with the table it is in before a dot.
    pub name: &'static str,
    /// What holds. Of a secret, only that it is set.
    pub value: String,
    /// What would hold if nobody had said it.
    pub default: String,
    /// Who said it.
    pub set_by: SetBy,
    /// Where: the variable, or the file and its line.
    pub place: Option<String>,
    /// The variable that can say it.
    pub variable: Option<&'static str>,
    /// The flag of the command `homing` that can say it.
    pub flag: Option<&'static str>,
    /// Whether a configuration file can say it.
    pub in_file: bool,
    /// Why it exists, in one line.
    pub why: &'static str,
}

words! {
    /// Who said a setting. The first of these that did counts.
    SetBy {
        /// The program itself; of the command `homing`, a flag.
        Program = "program",
        /// A variable of the environment.
        Environment = "environment",
        /// The configuration file.
        File = "file",
        /// Nobody.
        Default = "default",
    }
}

impl Config {
    /// Says a setting by its name, as a configuration file would; of a list, adds one. What is said so counts more than
    /// the environment and the file, also where it is the default.
    ///
    /// ```
    /// let mut config = homing::Config::default();
    /// config.set("timings.idle", "5m")?;
    /// config.set("seeds", "10.0.0.7")?;
    /// # Ok::<(), homing::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// There is no such setting, or this is not what it can be.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), ConfigError> {
        let setting = Setting::named(name)
            .ok_or_else(|| ConfigError::new("setting", &name, no_such(name)))?;
        (setting.write)(self, value)
            .map_err(|right| refused(setting.name, setting, value, right))?;
        self.heard.said.insert(setting.name);
        Ok(())
    }

    /// Every setting, as it would hold for a node that joins now: its value, its default, who said it, and why it exists.
    ///
    /// # Errors
    /// One cannot be used: it is named with its place.
    pub fn settings(&self) -> Result<Vec<SettingInfo>, ConfigError> {
        self.resolve()?;
        match self.defaults {
            Defaults::Environment => {
                self.settings_in(&|variable| std::env::var_os(variable).unwrap_or_default())
            }
            Defaults::Isolated(_) | Defaults::Constants => self.settings_in(&|_| OsString::new()),
        }
    }

    /// Whether `name` is a setting, or a table of settings such as `timings`.
    ///
    /// # Errors
    /// It is none: which may be meant.
    pub fn find_setting(name: &str) -> Result<(), ConfigError> {
        let is_it = |setting: &Setting| {
            let rest = setting.name.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        if SETTINGS.iter().any(is_it) {
            return Ok(());
        }
        Err(ConfigError::new("setting", &name, no_such(name)))
    }

    pub(super) fn settings_in(
        &self,
        environment: Environment<'_>,
    ) -> Result<Vec<SettingInfo>, ConfigError> {
        let layered = self.layered(environment)?;
        let info = |setting: &Setting| {
            let (set_by, place) = match layered.heard.origins.get(setting.name) {
                Some(Origin::Environment(name)) => (SetBy::Environment, Some((*name).to_owned())),
                Some(Origin::File(path, line)) => {
                    (SetBy::File, Some(format!("{}:{line}", path.display())))
                }
                None if setting.is_said(self) => (SetBy::Program, None),
                None => (SetBy::Default, None),
            };
            let value = match (setting.read)(&layered) {
                none if none.is_empty() => setting.default(),
                some => some.join(", "),
            };
            SettingInfo {
                name: setting.name,
                value,
                default: setting.default(),
                set_by,
                place,
                variable: setting.variable,
                flag: setting.flag,
                in_file: setting.is_for_files(),
                why: setting.why,
            }
        };
        Ok(SETTINGS.iter().map(info).collect())
    }

    /// The same, with what the environment says where this says nothing, and with what a file says where neither does:
    /// the file that was read, or the one that the environment names.
    pub(super) fn layered(&self, environment: Environment<'_>) -> Result<Self, ConfigError> {
        let mut layered = self.clone();
        for setting in SETTINGS.iter().filter(|setting| !self.is_said(setting)) {
            layered.hear_environment(setting, environment)?;
        }
        if let Some(file) = self.file(environment)? {
            layered.hear_file(&file, self)?;
        }
        layered.tls = layered.tls.take().or(layered.heard.certificates.authority()?);
        Ok(layered)
    }

    /// An error with the place where what is wrong was said.
    pub(super) fn placed(&self, error: ConfigError) -> ConfigError {
        match self.heard.origins.get(error.setting()) {
            Some(Origin::Environment(name)) => {
                ConfigError::new(name, &error.value(), error.problem())
            }
            Some(Origin::File(path, line)) => {
                ConfigError::new("config", &path.display(), format!("line {line}: {error}"))
            }
            None => error,
        }
    }

    /// How the place is called where a setting was said.
    pub(super) fn place_of(&self, name: &'static str) -> &'static str {
        match self.heard.origins.get(name) {
            Some(Origin::Environment(variable)) => variable,
            Some(Origin::File(..)) | None => name,
        }
    }

    /// What is said of certificates, by whatever way.
    pub(super) fn certificates(&self) -> Certificates {
        match self.tls.clone() {
            Some(Authority { ca, cert, key }) => {
                Certificates { ca: Some(ca), cert: Some(cert), key: Some(key) }
            }
            None => self.heard.certificates.clone(),
        }
    }

    /// Whether the program said a setting, or another one that stands for the same.
    fn is_said(&self, setting: &Setting) -> bool {
        match setting.name {
            "token" | "token_file" => self.token.is_some(),
            "ca" | "cert" | "cert_key" => self.tls.is_some(),
            _ => setting.is_said(self),
        }
    }

    fn hear_environment(
        &mut self,
        setting: &'static Setting,
        environment: Environment<'_>,
    ) -> Result<(), ConfigError> {
        let Some(variable) = setting.variable else { return Ok(()) };
        let is_kept_out =
            matches!(setting.name, "key" | "key_file" | "token" | "token_file" | "redis");
        // Of the token and the file with one, the first.
        let is_second = setting.name == "token_file" && self.token.is_some();
        if is_second || is_kept_out && self.keyless {
            return Ok(());
        }
        let given = match (setting.form, environment(variable).into_string()) {
            (Form::Secret, Err(_)) => {
                return Err(ConfigError::new(variable, &HIDDEN, "it is not UTF-8"));
            }
            _ => text(environment, variable)?,
        };
        let many = matches!(setting.form, Form::List) || setting.name == "key";
        let words: Vec<&str> = if many {
            given.split(',').map(str::trim).filter(|word| !word.is_empty()).collect()
        } else {
            Some(given.as_str()).filter(|given| !given.is_empty()).into_iter().collect()
        };
        for word in words {
            (setting.write)(self, word).map_err(|right| refused(variable, setting, word, right))?;
            self.heard.origins.insert(setting.name, Origin::Environment(variable));
        }
        Ok(())
    }

    fn file(&self, environment: Environment<'_>) -> Result<Option<Arc<FileSettings>>, ConfigError> {
        match (&self.file, environment("HOMING_CONFIG")) {
            (Some(file), _) => Ok(Some(Arc::clone(file))),
            (None, unset) if unset == OsString::new() || self.keyless => Ok(None),
            (None, path) => Ok(Some(Arc::new(FileSettings::read(Path::new(&path))?))),
        }
    }

    /// Takes what a file says of what neither the program nor the environment did.
    fn hear_file(&mut self, file: &FileSettings, program: &Self) -> Result<(), ConfigError> {
        for said in &file.said {
            let Some(setting) = Setting::named(said.name) else { continue };
            let is_taken =
                program.is_said(setting) || self.heard.origins.contains_key(setting.name);
            // Keys that were given otherwise take the place of those in the file's key file, and so does a token.
            let is_given = match setting.name {
                "key_file" => !self.key.is_empty() || self.keyless,
                "token_file" => self.token.is_some(),
                "redis" => self.keyless,
                _ => false,
            };
            if is_taken || is_given {
                continue;
            }
            for (text, line) in &said.texts {
                (setting.write)(self, text)
                    .map_err(|right| file.wrong(*line, setting, text, &right))?;
            }
            if setting.form == Form::Rules {
                self.access.clone_from(&file.access);
            }
            self.heard
                .origins
                .insert(setting.name, Origin::File(Arc::clone(&file.path), said.line));
        }
        Ok(())
    }
}

impl Certificates {
    /// The whole authority.
    ///
    /// # Errors
    /// Some of its files are given, and not all.
    fn authority(&self) -> Result<Option<Authority>, ConfigError> {
        let Self { ca, cert, key } = self.clone();
        match (ca, cert, key) {
            (None, None, None) => Ok(None),
            (Some(ca), Some(cert), Some(key)) => Ok(Some(Authority { ca, cert, key })),
            (ca, cert, _) => {
                let missing = match (ca, cert) {
                    (None, _) => "ca",
                    (_, None) => "cert",
                    _ => "cert_key",
                };
                let right = "ca, cert and cert_key are of use together only";
                Err(ConfigError::new(missing, &"", right))
            }
        }
    }
}

/// What is to be said about a name that is neither a setting's nor a table's: which may be meant.
pub(super) fn no_such(name: &str) -> String {
    let tables = SETTINGS.iter().filter_map(|setting| Some(setting.name.split_once('.')?.0));
    let far = |other: &str| edits(name, other);
    let table = tables.min_by_key(|table| far(table)).filter(|table| far(table) <= likeness(name));
    match table {
        Some(table) if SETTINGS.iter().all(|setting| far(setting.name) > far(table)) => {
            format!("there is no setting {name}: the table {table} may be meant")
        }
        _ => unknown(name),
    }
}

fn refused(place: &'static str, setting: &Setting, given: &str, right: String) -> ConfigError {
    ConfigError::new(place, &setting.shown(given), right)
}
