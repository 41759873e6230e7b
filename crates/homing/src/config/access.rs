//! What was decided of who may do what, and of what a node shows?

use super::Config;
use super::settings::{Environment, text};
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
    pub(super) fn resolve_access(
        &self,
        environment: Environment<'_>,
    ) -> Result<AccessSettings, ConfigError> {
        if self.issuers.len() > ISSUERS_MAX {
            let right = format!("at most {ISSUERS_MAX} issuers can be believed");
            return Err(ConfigError::new("issuers", &self.issuers.len(), right));
        }
        let token = match &self.token {
            Some(token) => Some(token.clone()),
            None if self.keyless => None,
            None => Some(text(environment, "HOMING_TOKEN")?)
                .filter(|token| !token.is_empty())
                .map(TokenSource::Text),
        };
        Ok(AccessSettings {
            list: self.access.clone(),
            issuers: self.issuers.clone(),
            token,
            audit: self.audit.clone(),
        })
    }
}
