//! Who makes tokens, and how is it known? By a pair of Ed25519 keys: one signs, the other is given to every node.

use super::token::Untrusted;
use crate::security::encoded::{self, Flaw};
use crate::security::random;
use pasetors::keys::{AsymmetricPublicKey, AsymmetricSecretKey};
use pasetors::version4::{PublicToken, V4};
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;

use super::files;

/// The first part of the public key, and of the secret one.
const PUBLIC_KIND: &str = "hmt1";
const SECRET_KIND: &str = "hms1";

/// The public key of who makes tokens: a node that has it believes them. Written as `hmt1_` and 58 letters, which are
/// no secret.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Issuer([u8; 32]);

/// The secret key of who makes tokens. It is never shown; [`create`](Self::create) writes it into a file.
#[derive(Clone)]
pub struct IssuerKey {
    seed: [u8; 32],
    public: [u8; 32],
}

/// Text that is no issuer's key. It does not repeat the text, which may be the secret one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{problem}: an issuer's key is {kind}_ and 58 letters, as `homing token key` {made}")]
pub struct BadIssuer {
    problem: &'static str,
    kind: &'static str,
    made: &'static str,
}

/// Why an issuer's key cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssuerKeyError {
    /// The file cannot be read or made, or others could read it.
    #[error(transparent)]
    File(#[from] io::Error),
    /// It has something else in it.
    #[error(transparent)]
    Content(#[from] BadIssuer),
}

impl Issuer {
    pub(super) fn has_signed(&self, token: &Untrusted) -> bool {
        AsymmetricPublicKey::<V4>::from(&self.0)
            .is_ok_and(|key| PublicToken::verify(&key, token, None, None).is_ok())
    }
}

impl IssuerKey {
    /// A new one, of the system's random bytes.
    pub fn generate() -> Self {
        Self::of_seed(random())
    }

    /// Reads what [`create`](Self::create) wrote.
    ///
    /// # Errors
    /// The file cannot be read, others could read it too, or it has something else in it.
    pub fn read(path: &Path) -> Result<Self, IssuerKeyError> {
        let text = files::read_secret(path)?;
        let seed = encoded::read(SECRET_KIND, text.trim());
        Ok(Self::of_seed(seed.map_err(|flaw| bad(SECRET_KIND, flaw))?))
    }

    /// Writes it into a new file that only its owner can read.
    ///
    /// # Errors
    /// The file cannot be written, or is there already.
    pub fn create(&self, path: &Path) -> io::Result<()> {
        files::create_secret(path, &(encoded::write(SECRET_KIND, &self.seed) + "\n"))
    }

    /// What nodes are given so that they believe this one's tokens.
    pub const fn issuer(&self) -> Issuer {
        Issuer(self.public)
    }

    pub(super) fn sign(&self, message: &[u8]) -> Option<String> {
        let key = AsymmetricSecretKey::<V4>::from(&[self.seed, self.public].concat()).ok()?;
        PublicToken::sign(&key, message, None, None).ok()
    }

    fn of_seed(seed: [u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("any 32 bytes are a seed");
        let public = pair.public_key().as_ref().try_into().expect("a public key has 32 bytes");
        Self { seed, public }
    }
}

impl FromStr for Issuer {
    type Err = BadIssuer;

    fn from_str(text: &str) -> Result<Self, BadIssuer> {
        encoded::read(PUBLIC_KIND, text).map(Self).map_err(|flaw| bad(PUBLIC_KIND, flaw))
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encoded::write(PUBLIC_KIND, &self.0))
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({self})")
    }
}

impl fmt::Debug for IssuerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IssuerKey({})", self.issuer())
    }
}

fn bad(kind: &'static str, flaw: Flaw) -> BadIssuer {
    let made = if kind == PUBLIC_KIND { "prints it" } else { "writes it into its file" };
    let problem = match flaw {
        Flaw::Prefix => "it begins otherwise",
        Flaw::Length { .. } => "it is too long or too short",
        Flaw::Letter => "it has something else than a-z and 2-7",
        Flaw::Checksum => "its checksum is wrong, a letter was changed",
    };
    BadIssuer { problem, kind, made }
}
