//! What does a token say, and who vouches for it?
//!
//! A token is a PASETO of the kind v4.public: JSON, signed with the Ed25519 key of an issuer. Whoever holds it is who it
//! says, unless it is bound to a node; so it lives for minutes, and is sent over links that others cannot read.

use super::issuer::{Issuer, IssuerKey};
use homing_core::id::NodeId;
use homing_core::limits::{TOKEN_LEEWAY, TOKEN_MAX, TOKEN_TIME, TOKEN_TIME_MAX};
use pasetors::token::UntrustedToken;
use pasetors::version4::{PublicToken, V4};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Claims that mean something by themselves and cannot be given otherwise.
const RESERVED: [&str; 8] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "for"];

/// What a token says of who shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claims {
    subject: String,
    node: Option<NodeId>,
    issued: SystemTime,
    not_before: SystemTime,
    expires: SystemTime,
    others: BTreeMap<String, String>,
}

/// Why a token does not count.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BadToken {
    /// It is longer than [`TOKEN_MAX`].
    #[error("it has {0} bytes, at most {TOKEN_MAX}: make one with fewer or shorter claims")]
    TooLong(usize),
    /// It is something else.
    #[error("it is no token: one begins with v4.public. and is made by `homing token new`")]
    Foreign,
    /// It is signed, but does not say what a token must.
    #[error("its claim {0} is missing or cannot be read")]
    Claim(&'static str),
    /// Nobody who is believed here has signed it as it stands.
    #[error(
        "no issuer that is believed here has signed it: its key belongs under [tokens] issuers"
    )]
    Issuer,
    /// Its time is over.
    #[error("it expired at {}: make a new one", rfc3339(*.0))]
    Expired(SystemTime),
    /// Its time has not come.
    #[error("it is not valid before {}: wait, or set the clocks", rfc3339(*.0))]
    NotYet(SystemTime),
    /// It lives for longer than any token may.
    #[error("it lives for more than {} hours: make one with a shorter --lifetime", TOKEN_TIME_MAX.as_secs() / 3600)]
    LivesLong,
    /// It is bound to a node, and another showed it.
    #[error("it is bound to node {}, and another node showed it", .0.short())]
    OtherNode(NodeId),
    /// It is bound to no node, where everybody can read and repeat it.
    #[error(
        "it is bound to no node, as a token for offering or listening must be: make one by --for NODE-ID"
    )]
    Unbound,
}

/// What a token is to say.
///
/// ```
/// use homing::access::{Claims, Draft, IssuerKey};
///
/// let key = IssuerKey::generate();
/// let token = Draft::new("till-3").claim("team", "shop").sign(&key)?;
/// let claims = Claims::verify(&token, &[key.issuer()], std::time::SystemTime::now())?;
/// assert_eq!((claims.subject(), claims.get("team")), ("till-3", Some("shop")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Draft {
    subject: String,
    others: Vec<(String, String)>,
    node: Option<NodeId>,
    life: Duration,
    issued: Option<SystemTime>,
}

/// Why no token was made.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BadDraft {
    /// It says too much.
    #[error("the token would have {0} bytes, at most {TOKEN_MAX}: give fewer or shorter claims")]
    TooLong(usize),
    /// It would live for too long, or not at all.
    #[error("a token lives for 1 s to {hours} hours, not {0:?}", hours = TOKEN_TIME_MAX.as_secs() / 3600)]
    Life(Duration),
    /// The claim has a meaning of its own.
    #[error("the claim {0:?} has a meaning of its own: give it another name")]
    Reserved(String),
    /// A token is about somebody.
    #[error("a token is about somebody: give it a subject")]
    Nobody,
    /// The key cannot sign.
    #[error("the issuer's key cannot sign")]
    Key,
}

impl Claims {
    /// What a token says, if an issuer of these vouches for it and its time is now, give or take [`TOKEN_LEEWAY`].
    ///
    /// Whether it is bound to another node than the one that showed it is for the caller to look at:
    /// [`node`](Self::node).
    ///
    /// # Errors
    /// It does not count; the error says why.
    pub fn verify(token: &str, issuers: &[Issuer], now: SystemTime) -> Result<Self, BadToken> {
        let untrusted = untrusted(token)?;
        let is_signed = |issuer: &Issuer| issuer.has_signed(&untrusted);
        if !issuers.iter().any(is_signed) {
            return Err(BadToken::Issuer);
        }
        let claims = Self::of_json(untrusted.untrusted_payload())?;
        claims.check_time(now)?;
        Ok(claims)
    }

    /// What a token says, whoever has made it. To be shown, never to be believed.
    ///
    /// # Errors
    /// It is no token.
    pub fn unverified(token: &str) -> Result<Self, BadToken> {
        Self::of_json(untrusted(token)?.untrusted_payload())
    }

    /// Whom it is about.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The value of a claim of this name; of the user's own, not of those that PASETO defines.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.others.get(name).map(String::as_str)
    }

    /// All claims of the user's own, by their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.others.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The node for which alone it counts; `None`: for whoever shows it.
    pub const fn node(&self) -> Option<NodeId> {
        self.node
    }

    /// From when on it counts.
    pub const fn not_before(&self) -> SystemTime {
        self.not_before
    }

    /// Until when it counts.
    pub const fn expires(&self) -> SystemTime {
        self.expires
    }

    /// Whether it counts at this time, give or take [`TOKEN_LEEWAY`], whoever made it.
    ///
    /// # Errors
    /// Its time is over or has not come, or it lives for longer than [`TOKEN_TIME_MAX`].
    pub fn check_time(&self, now: SystemTime) -> Result<(), BadToken> {
        let life = self.expires.duration_since(self.issued).unwrap_or_default();
        if life > TOKEN_TIME_MAX {
            return Err(BadToken::LivesLong);
        }
        if now > self.expires + TOKEN_LEEWAY {
            return Err(BadToken::Expired(self.expires));
        }
        if now + TOKEN_LEEWAY < self.not_before {
            return Err(BadToken::NotYet(self.not_before));
        }
        Ok(())
    }

    fn of_json(bytes: &[u8]) -> Result<Self, BadToken> {
        let said: Map<String, Value> =
            serde_json::from_slice(bytes).map_err(|_| BadToken::Foreign)?;
        let text = |name| said.get(name).and_then(Value::as_str);
        let instant = |name| text(name).and_then(parse_time).ok_or(BadToken::Claim(name));
        let subject = text("sub").filter(|subject| !subject.is_empty());
        let node = said.get("for").map(|_| text("for").and_then(|id| id.parse().ok()));
        let issued = instant("iat")?;
        let not_before = if said.contains_key("nbf") { instant("nbf")? } else { issued };
        let others = said.iter().filter(|(name, _)| !RESERVED.contains(&name.as_str()));
        Ok(Self {
            subject: subject.ok_or(BadToken::Claim("sub"))?.to_owned(),
            node: node.map(|node| node.ok_or(BadToken::Claim("for"))).transpose()?,
            issued,
            not_before: not_before.max(issued),
            expires: instant("exp")?,
            others: others
                .filter_map(|(name, value)| Some((name.clone(), plain(value)?)))
                .collect(),
        })
    }
}

impl Draft {
    /// A token about somebody, that lives for [`TOKEN_TIME`].
    pub fn new(subject: impl Into<String>) -> Self {
        let subject = subject.into();
        Self { subject, others: Vec::new(), node: None, life: TOKEN_TIME, issued: None }
    }

    /// Says something more; access lists can ask for it.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.others.push((name.into(), value.into()));
        self
    }

    /// Counts for this node alone, so that nobody else can use it. Needed where the token is to let the node offer.
    pub fn bound_to(mut self, node: NodeId) -> Self {
        self.node = Some(node);
        self
    }

    /// Lives for so long: at most [`TOKEN_TIME_MAX`].
    pub fn life(mut self, life: Duration) -> Self {
        self.life = life;
        self
    }

    /// Lives from then on, instead of from now on.
    pub fn issued(mut self, at: SystemTime) -> Self {
        self.issued = Some(at);
        self
    }

    /// The token.
    ///
    /// # Errors
    /// It cannot be made as it is wished.
    pub fn sign(&self, key: &IssuerKey) -> Result<String, BadDraft> {
        if self.subject.is_empty() {
            return Err(BadDraft::Nobody);
        }
        if !(Duration::from_secs(1)..=TOKEN_TIME_MAX).contains(&self.life) {
            return Err(BadDraft::Life(self.life));
        }
        let issued = self.issued.unwrap_or_else(SystemTime::now);
        let mut said = Map::new();
        let mut say = |name: &str, value: String| said.insert(name.to_owned(), value.into());
        for (name, value) in &self.others {
            if RESERVED.contains(&name.as_str()) {
                return Err(BadDraft::Reserved(name.clone()));
            }
            say(name, value.clone());
        }
        say("sub", self.subject.clone());
        say("iat", rfc3339(issued));
        say("exp", rfc3339(issued + self.life));
        if let Some(node) = self.node {
            say("for", node.to_string());
        }
        let token = key.sign(Value::Object(said).to_string().as_bytes()).ok_or(BadDraft::Key)?;
        if token.len() > TOKEN_MAX { Err(BadDraft::TooLong(token.len())) } else { Ok(token) }
    }
}

/// A time as people and tokens write it, to the second: RFC 3339, in UTC.
pub fn rfc3339(at: SystemTime) -> String {
    let at = OffsetDateTime::from(at).replace_nanosecond(0).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(&Rfc3339).unwrap_or_default()
}

/// A token that has the right form, which proves nothing.
pub(super) type Untrusted = UntrustedToken<pasetors::Public, V4>;

fn untrusted(token: &str) -> Result<Untrusted, BadToken> {
    if token.len() > TOKEN_MAX {
        return Err(BadToken::TooLong(token.len()));
    }
    if !token.starts_with(PublicToken::HEADER) {
        return Err(BadToken::Foreign);
    }
    Untrusted::try_from(token).map_err(|_| BadToken::Foreign)
}

/// No time that leaves the range in which spans can be added to it.
fn parse_time(text: &str) -> Option<SystemTime> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    (1970..=9000).contains(&at.year()).then(|| at.into())
}

/// What can be compared with a text: other issuers may also write numbers and yes or no.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests;
