//! Who may do what? A list of permissions: what no rule allows is refused.

use super::pattern::NamePattern;
use super::rule::{Class, Rule};
use super::token::Claims;
use homing_core::authorize::Action;
use homing_core::id::NodeId;
use homing_core::limits::RULES_MAX;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use std::str::FromStr;

/// Who may do what on this node. Without a list everybody in the mesh may do everything; with one, only what a rule of
/// it allows, however few there are.
///
/// It is written as the `[[access]]` tables of the configuration file:
///
/// ```
/// let list: homing::AccessList = r#"
///     [[access]]
///     who = ["claim:team=shop", "node:0a1b2c3d"] # a verified token with this claim, or this node
///     may = "call"
///     on = ["words", "price*"]
///
///     [[access]]
///     who = "bridge:cote"                        # foreign peers behind a bridge: this class and no other
///     may = ["call", "publish"]
///     on = "legacy.**"
///     namespaces = "old"
/// "#.parse()?;
/// # Ok::<(), homing::ConfigError>(())
/// ```
///
/// | key | says |
/// |---|---|
/// | `who` | `node:ID` or at least 8 of its digits; `claim:KEY=VALUE` or `subject:NAME` of a verified token; `bridge:NAME`; `anyone` in the mesh |
/// | `may` | `call`, `offer`, `publish`, `subscribe`, `submit`, `work` |
/// | `on` | names of services, topics or queues; `*` is any run of signs, in a topic `**` any number of segments |
/// | `namespaces` | as `on`; left out: all |
///
/// Each takes one text or several. A node may always do with itself what it likes, and names that begin with `$`, the
/// mesh's own, are open to every member. Who offers is judged by each node for itself: an offer that its owner may not
/// make is kept and passed on, and neither shown nor called here.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AccessList {
    rules: Vec<Rule>,
}

/// Somebody, with what is proven of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker<'a> {
    pub(super) node: NodeId,
    pub(super) origin: Option<&'a str>,
    pub(super) claims: Option<&'a Claims>,
}

/// What is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish<'a> {
    pub(super) action: Action,
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
}

/// What the list says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Allowed,
    /// Not so, but with a token it could be.
    WithToken,
    Denied,
}

impl AccessList {
    pub(super) fn judge(&self, asker: &Asker<'_>, wish: &Wish<'_>) -> Verdict {
        if asker.origin.is_none() && wish.name.starts_with('$') {
            return Verdict::Allowed;
        }
        let mut verdict = Verdict::Denied;
        for rule in self.rules.iter().filter(|rule| rule.is_about(wish)) {
            if rule.who.iter().any(|class| class.has(asker)) {
                return Verdict::Allowed;
            }
            let by_token = |class: &Class| matches!(class, Class::Claim { .. } | Class::Subject(_));
            if asker.origin.is_none() && rule.who.iter().any(by_token) {
                verdict = Verdict::WithToken;
            }
        }
        verdict
    }
}

impl Rule {
    fn is_about(&self, wish: &Wish<'_>) -> bool {
        let is_like = |pattern: &NamePattern| match wish.action {
            Action::Publish | Action::Subscribe => pattern.is_like_topic(wish.name),
            _ => pattern.is_like(wish.name),
        };
        self.may.contains(&wish.action)
            && self.namespaces.iter().any(|pattern| pattern.is_like(wish.namespace))
            && self.on.iter().any(is_like)
    }
}

impl Class {
    /// What is foreign is of its bridge's class, and of no other.
    fn has(&self, asker: &Asker<'_>) -> bool {
        let foreign = asker.origin.map(|origin| origin.strip_prefix("bridge:"));
        match (self, foreign) {
            (Self::Bridge(pattern), Some(name)) => name.is_some_and(|name| pattern.is_like(name)),
            (_, Some(_)) | (Self::Bridge(_), None) => false,
            (Self::Node(digits), None) => asker.node.to_string().starts_with(digits.as_str()),
            (Self::Claim { key, value }, None) => {
                asker.claims.is_some_and(|claims| claims.get(key) == Some(value))
            }
            (Self::Subject(name), None) => {
                asker.claims.is_some_and(|claims| claims.subject() == name)
            }
            (Self::Anyone, None) => true,
        }
    }
}

impl<'de> Deserialize<'de> for AccessList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rules = Vec::<Rule>::deserialize(deserializer)?;
        if rules.len() > RULES_MAX {
            let message = format!("{} rules, at most {RULES_MAX}: use patterns", rules.len());
            return Err(D::Error::custom(message));
        }
        Ok(Self { rules })
    }
}

impl FromStr for AccessList {
    type Err = crate::error::ConfigError;

    /// Reads the `[[access]]` tables of a text that has nothing else.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Text {
            #[serde(default)]
            access: AccessList,
        }
        let parsed: Text = crate::config::file::parse(text)
            .map_err(|problem| crate::error::ConfigError::new("access", &"", problem))?;
        Ok(parsed.access)
    }
}

#[cfg(test)]
mod tests;
