//! Where does a node's own token come from, and is it still the same?

use super::files;
use super::token::{BadToken, Claims};
use arc_swap::ArcSwap;
use bytes::Bytes;
use homing_core::id::NodeId;
use homing_core::limits::TOKEN_MAX;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where the token is that a node shows with its calls and, bound to it, with its offers.
///
/// Whoever holds a token can use it, unless it is bound to a node: a service that is called with one could show it
/// elsewhere. Bind tokens where that matters.
#[derive(Clone, Eq, PartialEq)]
pub enum TokenSource {
    /// Here. It serves as long as it lives, which is minutes or hours.
    Text(String),
    /// In a file that only its owner can read. It is read again whenever it changes, so whoever renews it only has to
    /// write it anew.
    File(PathBuf),
}

impl fmt::Debug for TokenSource {
    /// Never shows the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

impl fmt::Display for TokenSource {
    /// Where it is; never the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("(given as text)"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// A node's own token, as it is now.
pub(crate) struct OwnToken {
    current: ArcSwap<Bytes>,
    file: Option<PathBuf>,
    /// Of the file, before it was read.
    first_seen: Stamp,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoToken {
    #[error(transparent)]
    File(#[from] io::Error),
    #[error("the token cannot be one: {0}")]
    Text(#[from] BadToken),
}

/// When a file was last seen to be what it is.
pub(crate) type Stamp = Option<(u64, u64, i64, i64)>;

impl OwnToken {
    /// The token of that source.
    ///
    /// # Errors
    /// The file cannot be read, or what is in it is no token. Whether somebody believes it, others know.
    pub(crate) fn new(source: &TokenSource) -> Result<Self, NoToken> {
        let first_seen = match source {
            TokenSource::Text(_) => None,
            TokenSource::File(path) => stamp(path),
        };
        let (text, file) = match source {
            TokenSource::Text(text) => (checked(text)?, None),
            TokenSource::File(path) => (read(path)?, Some(path.clone())),
        };
        Ok(Self { current: ArcSwap::from_pointee(text), file, first_seen })
    }

    /// The token.
    pub(crate) fn current(&self) -> Bytes {
        Bytes::clone(&self.current.load())
    }

    /// The token, if it is bound to this node: only such a one is shown to everybody.
    pub(crate) fn bound_to(&self, me: NodeId) -> Option<String> {
        let token = str::from_utf8(&self.current.load()).ok()?.to_owned();
        (Claims::unverified(&token).ok()?.node() == Some(me)).then_some(token)
    }

    /// Looks at the file again, if it is not the one that was seen; whether the token is another one now. What cannot
    /// be used is not: the token before stays.
    pub(crate) fn refresh(&self, seen: &mut Stamp) -> bool {
        let Some(path) = &self.file else { return false };
        let now = stamp(path);
        if now == *seen {
            return false;
        }
        *seen = now;
        match read(path) {
            Ok(token) if token == **self.current.load() => false,
            Ok(token) => {
                self.current.store(token.into());
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the token's file cannot be used: the token before stays");
                false
            }
        }
    }

    /// Whether it can ever be another one.
    pub(crate) const fn is_renewed(&self) -> bool {
        self.file.is_some()
    }

    /// What the file is compared with when it is looked at for the first time.
    pub(crate) const fn first_seen(&self) -> Stamp {
        self.first_seen
    }
}

fn read(path: &Path) -> Result<Bytes, NoToken> {
    checked(&files::read_secret(path)?)
}

fn checked(text: &str) -> Result<Bytes, NoToken> {
    let text = text.trim();
    if text.len() > TOKEN_MAX {
        return Err(BadToken::TooLong(text.len()).into());
    }
    Claims::unverified(text)?;
    Ok(Bytes::copy_from_slice(text.as_bytes()))
}

fn stamp(path: &Path) -> Stamp {
    let about = fs::metadata(path).ok()?;
    Some((about.ino(), about.size(), about.mtime(), about.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::super::{Draft, IssuerKey};
    use super::*;

    #[test]
    fn a_renewed_file_is_a_new_token_and_nonsense_in_it_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let key = IssuerKey::generate();
        let token = |subject: &str| Draft::new(subject).sign(&key).unwrap();
        let write = |text: &str| {
            let _ = fs::remove_file(&path);
            files::create_secret(&path, text).unwrap();
        };
        write(&token("a"));
        let own = OwnToken::new(&TokenSource::File(path.clone())).unwrap();
        let mut seen = own.first_seen();
        assert!(!own.refresh(&mut seen));
        let second = token("somebody else");
        write(&second);
        assert!(own.refresh(&mut seen));
        assert_eq!(own.current(), second);
        write("nonsense");
        assert!(!own.refresh(&mut seen));
        assert_eq!(own.current(), second);
    }

    #[test]
    fn only_a_token_that_is_bound_to_the_node_is_shown_to_everybody() {
        let me = NodeId::from_bytes([1; 16]);
        let key = IssuerKey::generate();
        let bound = |draft: Draft| {
            let token = draft.sign(&key).unwrap();
            OwnToken::new(&TokenSource::Text(token)).unwrap().bound_to(me).is_some()
        };
        assert!(!bound(Draft::new("a")));
        assert!(!bound(Draft::new("a").bound_to(NodeId::from_bytes([2; 16]))));
        assert!(bound(Draft::new("a").bound_to(me)));
    }

    #[test]
    fn a_token_that_others_could_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        fs::write(&path, Draft::new("a").sign(&IssuerKey::generate()).unwrap()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = OwnToken::new(&TokenSource::File(path)).err().unwrap().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }
}
