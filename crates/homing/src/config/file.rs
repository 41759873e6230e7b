//! What does a configuration file say?
//!
//! TOML. Every key that is read here stands in the table of [`Config::from_file`](super::Config::from_file); one that is
//! not known is refused, for a setting that is ignored is worse than none.

use super::Config;
use super::settings::Environment;
use crate::access::rule::{Parsed, one_or_many};
use crate::access::{AccessList, Issuer, TokenSource};
use crate::discovery::RedisUrl;
use crate::error::ConfigError;
use crate::security::{Authority, files};
use homing_core::limits::CONFIG_FILE_MAX;
use homing_core::name::{MeshName, Namespace};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// The settings of a file; what it does not say is none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FileSettings {
    #[serde(deserialize_with = "text")]
    pub(crate) mesh: Option<MeshName>,
    #[serde(deserialize_with = "text")]
    pub(crate) namespace: Option<Namespace>,
    #[serde(deserialize_with = "addresses")]
    pub(crate) listen: Vec<SocketAddr>,
    #[serde(deserialize_with = "one_or_many")]
    pub(crate) seeds: Vec<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) redis: Option<RedisUrl>,
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) identity: Option<PathBuf>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) cert: Option<PathBuf>,
    pub(crate) cert_key: Option<PathBuf>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) audit: Option<PathBuf>,
    pub(crate) access: Option<AccessList>,
    pub(crate) tokens: Tokens,
}

/// Whose tokens are believed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tokens {
    #[serde(deserialize_with = "one_or_many")]
    pub(crate) issuers: Vec<Issuer>,
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
        let mut settings: Self = parse(&text).map_err(bad)?;
        settings.stand_in(path.parent().unwrap_or(Path::new("")));
        Ok(settings)
    }

    /// The certificates of the user's own authority.
    ///
    /// # Errors
    /// Some of its files are given, and not all.
    fn authority(&self) -> Result<Option<Authority>, ConfigError> {
        let files = [("ca", &self.ca), ("cert", &self.cert), ("cert_key", &self.cert_key)];
        match (&self.ca, &self.cert, &self.cert_key) {
            (None, None, None) => Ok(None),
            (Some(ca), Some(cert), Some(key)) => {
                let (ca, cert, key) = (ca.clone(), cert.clone(), key.clone());
                Ok(Some(Authority { ca, cert, key }))
            }
            _ => {
                let missing = files.iter().find(|(_, file)| file.is_none());
                let (missing, _) = missing.expect("not all of them are given");
                let right = "ca, cert and cert_key are of use together only";
                Err(ConfigError::new(missing, &"", right))
            }
        }
    }

    /// Makes paths what they are seen from the file's directory.
    fn stand_in(&mut self, directory: &Path) {
        let Self { key_file, identity, ca, cert, cert_key, token_file, audit, .. } = self;
        for path in [key_file, identity, ca, cert, cert_key, token_file, audit] {
            *path = path.take().map(|path| match path.to_str() {
                Some("-") => path, // stderr, for the audit log
                _ => directory.join(path),
            });
        }
    }
}

impl Config {
    /// The same, with what a file says where neither this nor the environment says anything: the file that was read, or
    /// the one that the environment names.
    pub(super) fn with_file(&self, environment: Environment<'_>) -> Result<Self, ConfigError> {
        let is_unset = |variable| environment(variable).is_empty();
        let file = match (&self.file, environment("HOMING_CONFIG")) {
            (Some(file), _) => Arc::clone(file),
            (None, _) if self.keyless => return Ok(self.clone()),
            (None, unset) if unset.is_empty() => return Ok(self.clone()),
            (None, path) => Arc::new(FileSettings::read(Path::new(&path))?),
        };
        let mut config = self.clone();
        let file = FileSettings::clone(&file);
        config.tls = config.tls.or(file.authority()?);
        let are_keys_unset = config.key.is_empty() && is_unset("HOMING_KEY");
        if are_keys_unset && is_unset("HOMING_KEY_FILE") && !self.keyless {
            config.key_file = config.key_file.or(file.key_file);
        }
        if is_unset("HOMING_IDENTITY") {
            config.identity = config.identity.or(file.identity);
        }
        if is_unset("HOMING_MESH") {
            config.mesh = config.mesh.or(file.mesh);
        }
        if is_unset("HOMING_NAMESPACE") {
            config.namespace = config.namespace.or(file.namespace);
        }
        if is_unset("HOMING_SEEDS") && config.discovery.seeds.is_empty() {
            config.discovery.seeds = file.seeds;
        }
        if is_unset("HOMING_REDIS") && !config.keyless {
            config.discovery.redis = config.discovery.redis.or(file.redis);
        }
        if is_unset("HOMING_TOKEN") {
            config.token = config.token.or(file.token_file.map(TokenSource::File));
        }
        if config.listen.is_empty() {
            config.listen = file.listen;
        }
        if config.issuers.is_empty() {
            config.issuers = file.tokens.issuers;
        }
        config.access = config.access.or(file.access);
        config.audit = config.audit.or(file.audit);
        Ok(config)
    }
}

/// Reads TOML; an error says in which line what is wrong.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| {
        let message = error.message().trim_end().replace('\n', ", ");
        match error.span() {
            Some(span) => format!("line {}: {message}", line_of(text, span.start)),
            None => message,
        }
    })
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

fn text<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: fmt::Display,
{
    Parsed::deserialize(deserializer).map(|Parsed(value)| Some(value))
}

fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SocketAddr>, D::Error> {
    /// The standard library says of any mistake only that it is one.
    struct Address(SocketAddr);

    impl FromStr for Address {
        type Err = String;

        fn from_str(text: &str) -> Result<Self, String> {
            let right = "it is an address and a port, like 127.0.0.1:0 or [::1]:7000";
            let given: String = text.chars().take(64).collect();
            text.parse().map(Self).map_err(|_| format!("{given:?}: {right}"))
        }
    }

    let addresses: Vec<Address> = one_or_many(deserializer)?;
    Ok(addresses.into_iter().map(|Address(address)| address).collect())
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
