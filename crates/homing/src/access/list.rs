//! Who may do what? A list of permissions: what no rule allows is refused.

use super::pattern::NamePattern;
use super::rule::{Class, Mark, Rule};
use super::token::Claims;
use homing_core::authorize::Action;
use homing_core::id::NodeId;
use homing_core::limits::RULES_MAX;
use homing_core::packets;
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
///     [[access]]                      # a verified token with this claim, or this node
///     who = ["claim:team=shop", "node:0a1b2c3d4e5f60718293a4b5c6d7e8f9"]
///     may = "call"
///     on = ["words", "price*"]
///
///     [[access]]                      # foreign peers behind a bridge, and the node that is the bridge
///     who = "bridge:cote@node:0a1b2c3d4e5f60718293a4b5c6d7e8f9"
///     may = ["call", "publish"]
///     on = "legacy.**"
///     namespaces = "old"
/// "#.parse()?;
/// # Ok::<(), homing::ConfigError>(())
/// ```
///
/// | key | says |
/// |---|---|
/// | `who` | `node:ID`, all 32 digits; `claim:KEY=VALUE` or `subject:NAME` of a verified token; `bridge:NAME@…`, what is behind a bridge of this name, and after the `@` one of those before: which node may be that bridge; `anyone` in the mesh, but nothing behind a bridge |
/// | `may` | `call`, `offer`, `publish`, `subscribe`, `submit`, `work` |
/// | `on` | names of services, topics or queues; `*` is any run of signs, in a topic `**` any number of segments |
/// | `namespaces` | as `on`; left out: all |
///
/// Each takes one text or several. A node may always do with itself what it likes, and calls of names that begin with
/// `$`, the mesh's own, are open to every member. Who offers is judged by each node for itself: an offer that its owner
/// may not make is kept and passed on, and neither shown nor called here. So is who listens: it is sent what this node
/// publishes only where all topics of one of its patterns are allowed. Who publishes is judged where it is heard.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AccessList {
    rules: Vec<Rule>,
}

/// Somebody, with what is proven of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker<'a> {
    pub(super) node: NodeId,
    /// What the node says of itself: that it is a bridge, and asks for what is behind it.
    pub(super) origin: Option<&'a str>,
    /// Of the node's token.
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
        let is_own = wish.action == Action::Call && is_of_the_mesh(wish.name);
        if asker.origin.is_none() && is_own {
            return Verdict::Allowed;
        }
        let mut verdict = Verdict::Denied;
        for rule in self.rules.iter().filter(|rule| rule.is_about(wish)) {
            if rule.who.iter().any(|class| class.has(asker)) {
                return Verdict::Allowed;
            }
            if rule.who.iter().any(|class| class.could_have(asker)) {
                verdict = Verdict::WithToken;
            }
        }
        verdict
    }
}

/// Whether it is part of how the mesh works. Packets are not: they are what programs say.
fn is_of_the_mesh(service: &str) -> bool {
    service.starts_with('$') && service != packets::SERVICE
}

impl AccessList {
    /// How many rules it has.
    pub(crate) fn len(&self) -> usize {
        self.rules.len()
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
        match (self, asker.origin) {
            (Self::Bridge { name, carrier }, Some(origin)) => {
                is_behind(name, origin) && carrier.is_of(asker)
            }
            (Self::Known(mark), None) => mark.is_of(asker),
            (Self::Anyone, None) => true,
            (Self::Bridge { .. }, None) | (Self::Known(_) | Self::Anyone, Some(_)) => false,
        }
    }

    /// Whether some token would make it so.
    fn could_have(&self, asker: &Asker<'_>) -> bool {
        match (self, asker.origin) {
            (Self::Bridge { name, carrier }, Some(origin)) => {
                is_behind(name, origin) && carrier.is_by_token()
            }
            (Self::Known(mark), None) => mark.is_by_token(),
            _ => false,
        }
    }
}

fn is_behind(name: &NamePattern, origin: &str) -> bool {
    origin.strip_prefix("bridge:").is_some_and(|bridge| name.is_like(bridge))
}

impl Mark {
    /// Of the node that asks, for itself or for what is behind it.
    fn is_of(&self, asker: &Asker<'_>) -> bool {
        match self {
            Self::Node(id) => asker.node == *id,
            Self::Claim { key, value } => {
                asker.claims.is_some_and(|claims| claims.get(key) == Some(value))
            }
            Self::Subject(name) => asker.claims.is_some_and(|claims| claims.subject() == name),
        }
    }

    const fn is_by_token(&self) -> bool {
        matches!(self, Self::Claim { .. } | Self::Subject(_))
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
