//! What keeps strangers out of a node's mesh, and how far may it therefore be heard?

use super::table::HIDDEN;
use super::{Config, Defaults};
use crate::error::{ConfigError, JoinError};
use crate::info::Guard;
use crate::security::{Key, KeyFile};
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
    pub(super) fn resolve_keys(&self) -> Result<Keys, ConfigError> {
        let (keys, said) = self.find_keys()?;
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
    fn find_keys(&self) -> Result<(Keys, &'static str), ConfigError> {
        let (key, key_file) = (self.place_of("key"), self.place_of("key_file"));
        match (&self.key[..], &self.key_file) {
            ([], None) => Ok((Keys::Local, "nobody")),
            ([], Some(file)) => Ok((Keys::File(file.clone()), key_file)),
            (keys, None) if keys.len() <= MESH_KEYS_MAX => Ok((Keys::Given(keys.to_vec()), key)),
            (keys, None) => {
                let right = format!("{MESH_KEYS_MAX} keys are the most, not {}", keys.len());
                Err(ConfigError::new("key", &HIDDEN, right))
            }
            (_, Some(file)) => {
                let right = format!("keys are given by {key}, too: leave out one of the two");
                Err(ConfigError::new("key_file", &file.display(), right))
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
