//! What keeps strangers out of a node's mesh, and how far may it therefore be heard?

use super::settings::{Environment, text};
use super::{Config, Defaults};
use crate::error::{ConfigError, JoinError};
use crate::info::Guard;
use crate::security::{BadKey, Key, KeyFile};
use homing_core::limits::MESH_KEYS_MAX;
use std::path::PathBuf;

/// What a node proves, and wants proven, in every handshake.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Keys {
    /// That both are programs of one user on one host.
    Local,
    /// One of these.
    Given(Vec<Key>),
    /// One of those in a file.
    File(PathBuf),
    /// Nothing.
    Insecure,
}

impl Keys {
    /// In a word, as everybody is told.
    pub(crate) const fn guard(&self) -> Guard {
        match self {
            Self::Local => Guard::Local,
            Self::Given(_) | Self::File(_) => Guard::Keyed,
            Self::Insecure => Guard::Insecure,
        }
    }

    /// Whether the node may be heard of beyond this host.
    pub(crate) const fn may_leave_host(&self) -> bool {
        !matches!(self, Self::Local)
    }
}

impl Config {
    /// The keys that a node of this configuration would hold, the one to send with first; none where it would stay on
    /// its host, or asks nobody for a key.
    ///
    /// # Errors
    /// A setting, or the key file, cannot be used.
    pub fn read_keys(&self) -> Result<Vec<Key>, JoinError> {
        Ok(match self.resolve()?.keys {
            Keys::Local | Keys::Insecure => Vec::new(),
            Keys::Given(keys) => keys,
            Keys::File(file) => KeyFile::read(file)?.keys(),
        })
    }

    /// Decides on the keys, and refuses to be reached, or to be told of, beyond this host without any.
    pub(super) fn resolve_keys(&self, environment: Environment<'_>) -> Result<Keys, ConfigError> {
        let (keys, said) = self.find_keys(environment)?;
        let keys = match (self.insecure, keys) {
            (true, Keys::Local) => Keys::Insecure,
            // A network of a test is insecure unless something else was said.
            (true, _) if !matches!(self.defaults, Defaults::Constants) => {
                let right = format!("there is a key, too ({said}): leave out one of the two");
                return Err(ConfigError::new("insecure", &true, right));
            }
            (_, keys) => keys,
        };
        self.check_reach(&keys)?;
        Ok(keys)
    }

    /// The keys, and who gave them.
    fn find_keys(&self, environment: Environment<'_>) -> Result<(Keys, &'static str), ConfigError> {
        let (given, file) = if self.keyless {
            (String::new(), String::new())
        } else {
            let given = environment("HOMING_KEY").into_string();
            let given = given.map_err(|_| {
                ConfigError::new("HOMING_KEY", &HIDDEN, BadKey::Foreign.to_string())
            })?;
            (given, text(environment, "HOMING_KEY_FILE")?)
        };
        // What a program says goes before what the environment says of the same.
        let given = match &self.key[..] {
            [] => (listed(&given)?, "HOMING_KEY"),
            keys => (keys.to_vec(), "key"),
        };
        let file = match &self.key_file {
            Some(file) => (Some(file.clone()), "key_file"),
            None => (Some(PathBuf::from(file)).filter(|file| file != ""), "HOMING_KEY_FILE"),
        };
        match (given, file) {
            ((keys, _), (None, _)) if keys.is_empty() => Ok((Keys::Local, "nobody")),
            ((keys, _), (Some(file), said)) if keys.is_empty() => Ok((Keys::File(file), said)),
            ((keys, said), (None, _)) if keys.len() <= MESH_KEYS_MAX => {
                Ok((Keys::Given(keys), said))
            }
            ((keys, said), (None, _)) => {
                let right = format!("{MESH_KEYS_MAX} keys are the most, not {}", keys.len());
                Err(ConfigError::new(said, &HIDDEN, right))
            }
            ((_, key), (Some(file), said)) => {
                let right = format!("keys are given by {key}, too: leave out one of the two");
                Err(ConfigError::new(said, &file.display(), right))
            }
        }
    }

    /// Refuses addresses beyond this host where strangers are not kept out.
    fn check_reach(&self, keys: &Keys) -> Result<(), ConfigError> {
        let listen = self.listen.iter().map(|address| ("listen", address));
        let advertise = self.advertise.iter().map(|address| ("advertise", address));
        for (setting, address) in listen.chain(advertise) {
            if setting == "advertise" && (address.ip().is_unspecified() || address.port() == 0) {
                let right = "nobody can dial it: it is an address and a port of this host";
                return Err(ConfigError::new(setting, address, right));
            }
            if !keys.may_leave_host() && !address.ip().to_canonical().is_loopback() {
                let right = "without a key a node stays on this host: `homing key new mesh.key` makes one, \
                             and `--key-file mesh.key` (HOMING_KEY_FILE) opens the network";
                return Err(ConfigError::new(setting, address, right));
            }
        }
        Ok(())
    }
}

/// What an error shows in the place of keys.
const HIDDEN: &str = "(not shown)";

fn listed(text: &str) -> Result<Vec<Key>, ConfigError> {
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    let keys = words.map(str::parse).collect::<Result<Vec<Key>, _>>();
    keys.map_err(|error| ConfigError::new("HOMING_KEY", &HIDDEN, error.to_string()))
}
