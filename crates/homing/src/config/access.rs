//! What was decided of who may do what, and of what a node shows?

use super::Config;
use crate::access::{AccessList, Issuer, TokenSource};
use crate::error::ConfigError;
use homing_core::limits::ISSUERS_MAX;
use std::path::PathBuf;

/// Who may do what, and what this node shows.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct AccessSettings {
    pub(crate) list: Option<AccessList>,
    pub(crate) issuers: Vec<Issuer>,
    pub(crate) token: Option<TokenSource>,
    pub(crate) audit: Option<PathBuf>,
}

impl Config {
    pub(super) fn resolve_access(&self) -> Result<AccessSettings, ConfigError> {
        if self.issuers.len() > ISSUERS_MAX {
            let right = format!("at most {ISSUERS_MAX} issuers can be believed");
            return Err(ConfigError::new("tokens.issuers", &self.issuers.len(), right));
        }
        Ok(AccessSettings {
            list: self.access.clone(),
            issuers: self.issuers.clone(),
            token: self.token.clone(),
            audit: self.audit.clone(),
        })
    }
}
