//! Which programs of this user are on this host? Each has a file in the rendezvous directory (decisions B3).
//!
//! ```text
//! entry: version u8 (2)   id 16   epoch varint   boot id str   network namespace u64   addresses   keys
//! ```
//! By the ids of the mesh's keys that a node holds a reader sees, without dialling, that another is of another mesh with
//! the same name: one with a key and one without, or each with a key of its own, may share the directory for ever.
//!
//! A file is written under another name and renamed, so nobody reads half of one. Its owner holds a lock on it for life:
//! who can lock it, too, knows that the owner is dead, whatever became of its process id.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use homing_core::addr::TransportAddr;
use homing_core::crypto::{Crypto, KeyId};
use homing_core::id::{Epoch, NodeId};
use homing_core::limits::{RENDEZVOUS_ENTRY_MAX, RENDEZVOUS_MAX};
use homing_core::wire::addr::{UNIX_PATH_MAX, put_addrs, read_addrs};
use homing_core::wire::codec::{Malformed, Reader, put_str, put_varint};
use homing_core::wire::hello::{put_keys, read_keys};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::directory::{Directory, TEMPORARY, file_flaw};
use super::host::{BOOT_ID_MAX, HostMark};
use super::{Finder, Finding, NobodyListens, Outcome, Source, Teller};
use crate::net::BoxFuture;

/// The version of an entry written here.
const VERSION: u8 = 2;
/// What the name of a unix socket in the directory ends with.
const SOCKET: &str = ".sock";
/// How often the directory is looked at in the beginning, and how long that is.
const EAGER: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// How often it is looked at later.
const STEADY: Duration = Duration::from_secs(1);
/// How often it is read although nothing changed.
const REREAD: Duration = Duration::from_secs(10);
/// A file that has not been finished for so long never will be.
const ABANDONED: Duration = Duration::from_mins(1);

/// What a node says of itself in the directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    /// Who.
    pub(crate) node: NodeId,
    /// In which life.
    pub(crate) epoch: Epoch,
    /// On which host.
    pub(crate) host: HostMark,
    /// Where it listens.
    pub(crate) addresses: Vec<TransportAddr>,
    /// The mesh's keys that it holds.
    pub(crate) keys: Vec<KeyId>,
}

/// An entry in the directory; dropping it takes the file away.
#[derive(Debug)]
pub(crate) struct Registration {
    directory: Arc<Directory>,
    entry: Entry,
    /// Locked as long as it is open.
    file: File,
}

/// Reads the directory, for a node that is there itself or only looks.
pub(crate) struct Rendezvous {
    directory: Arc<Directory>,
    me: NodeId,
    here: HostMark,
    part: Part,
    /// Who knows the keys held now; `None`: every entry is of interest.
    crypto: Option<Arc<dyn Crypto>>,
    /// Told whenever this process is awake for another reason.
    awake: Arc<Notify>,
}

/// What a reader may do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    /// Reads, and takes away what the dead left.
    Member,
    /// Only reads.
    Visitor,
}

/// The path for a node's unix socket in the directory; `None` where it would be too long for one.
pub(crate) fn socket_path(directory: &Directory, node: NodeId) -> Option<std::path::PathBuf> {
    let path = directory.path().join(format!("{node}{SOCKET}"));
    (path.as_os_str().len() <= UNIX_PATH_MAX).then_some(path)
}

/// Makes room for a node's unix socket: one with a kept identity may have died and left it there. A socket of a living
/// node stays; who wants it hears that when it listens.
pub(crate) fn clear_socket(directory: &Directory, node: NodeId) {
    let held = directory.open_file(&node.to_string()).and_then(|file| is_held(&file));
    if !held.unwrap_or(false) {
        // Where this fails, so does listening, and that is told.
        let _ = directory.remove(&format!("{node}{SOCKET}"));
    }
}

impl Registration {
    /// Puts a node's entry into the directory.
    ///
    /// # Errors
    /// Another process is that node, or the system refuses to write.
    pub(crate) fn publish(directory: Arc<Directory>, entry: Entry) -> io::Result<Self> {
        let name = entry.node.to_string();
        if let Ok(before) = directory.open_file(&name)
            && is_held(&before)?
        {
            let taken = format!("node {name} runs already in another process");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, taken));
        }
        let file = write(&directory, &entry)?;
        Ok(Self { directory, entry, file })
    }

    /// Says so that the node is in this life, holds these keys, and listens here.
    ///
    /// # Errors
    /// The system refuses to write; the entry is as it was.
    pub(crate) fn renew(
        &mut self,
        epoch: Epoch,
        keys: Vec<KeyId>,
        addresses: Vec<TransportAddr>,
    ) -> io::Result<()> {
        let entry = Entry { epoch, addresses, keys, ..self.entry.clone() };
        self.file = write(&self.directory, &entry)?;
        self.entry = entry;
        Ok(())
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let name = self.entry.node.to_string();
        if self.directory.is_named(&self.file, &name).unwrap_or(false) {
            // Where this fails the lock goes all the same, and the next reader cleans up.
            let _ = self.directory.remove(&name);
        }
    }
}

/// Writes an entry beside and locks it, before it gets its name: nobody can find it unlocked.
fn write(directory: &Directory, entry: &Entry) -> io::Result<File> {
    let (mut file, temporary) = directory.create_temporary()?;
    let written = file
        .try_lock()
        .map_err(io::Error::from)
        .and_then(|()| file.write_all(&entry.encode()))
        .and_then(|()| directory.rename(&temporary, &entry.node.to_string()));
    if let Err(error) = written {
        directory.remove(&temporary)?;
        return Err(error);
    }
    Ok(file)
}

/// Whether the owner of a file lives.
fn is_held(file: &File) -> io::Result<bool> {
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

impl Entry {
    fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend_from_slice(self.node.as_bytes());
        put_varint(&mut out, self.epoch.0);
        put_str(&mut out, &self.host.boot_id);
        out.extend_from_slice(&self.host.network.to_be_bytes());
        put_addrs(&mut out, &self.addresses);
        put_keys(&mut out, &self.keys);
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        if reader.u8()? != VERSION {
            return Err(Malformed("rendezvous entry: a version not known here"));
        }
        let node = NodeId::from_bytes(reader.array()?);
        let epoch = Epoch(reader.varint()?);
        let boot_id = reader.str(BOOT_ID_MAX)?.to_owned();
        let host = HostMark { boot_id, network: reader.u64()? };
        let (addresses, keys) = (read_addrs(&mut reader)?, read_keys(&mut reader)?);
        Ok(Self { node, epoch, host, addresses, keys })
    }
}

/// What is said of an entry of another host.
pub(crate) const OTHER_HOST: &str = "is of another host, or of this one before it started";
/// Of one whose node holds other keys.
pub(crate) const OTHER_KEY: &str =
    "holds no key in common with this node: another mesh of that name";
/// Of one whose addresses lead elsewhere from here.
pub(crate) const OTHER_NAMESPACE: &str = "is in another network namespace (a container?)";

/// What a file of the directory turned out to be.
enum Read {
    Alive(Entry),
    /// Its node holds none of our keys.
    Stranger,
    Elsewhere(&'static str),
    Stale,
    Unusable(String),
}

impl Rendezvous {
    /// A reader of the directory that does not suggest `me`.
    pub(crate) fn new(directory: Arc<Directory>, me: NodeId, here: HostMark, part: Part) -> Self {
        Self { directory, me, here, part, crypto: None, awake: Arc::default() }
    }

    /// The same, passing over those who hold none of the keys that are held by this one at the time.
    pub(crate) fn with_keys_of(self, crypto: Arc<dyn Crypto>) -> Self {
        Self { crypto: Some(crypto), ..self }
    }

    /// The same, looking for changes when `awake` is told, too: that spares a wake of its own.
    pub(crate) fn when(self, awake: Arc<Notify>) -> Self {
        Self { awake, ..self }
    }

    /// The entries of living nodes on this host, and a verdict for the directory and for each other entry.
    pub(crate) fn read(&self) -> (Vec<Entry>, BTreeMap<String, Outcome>) {
        let (mut entries, mut verdicts) = (Vec::new(), BTreeMap::new());
        let place = self.directory.path().display().to_string();
        let names = match self.directory.names() {
            Ok(names) => names,
            Err(error) => {
                verdicts.insert(place, Outcome::Failed(error.to_string()));
                return (entries, verdicts);
            }
        };
        let nodes = names.iter().filter_map(|name| Some((name, name.parse::<NodeId>().ok()?)));
        for (name, node) in nodes.filter(|(_, node)| *node != self.me).take(RENDEZVOUS_MAX) {
            let why = match self.read_entry(name, node) {
                Ok(Read::Alive(entry)) => {
                    entries.push(entry);
                    continue;
                }
                Ok(Read::Stale) => continue,
                Ok(Read::Stranger) => OTHER_KEY.to_owned(),
                Ok(Read::Elsewhere(why)) => why.to_owned(),
                Ok(Read::Unusable(why)) => why,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => error.to_string(),
            };
            verdicts.insert(format!("{place}/{name}"), Outcome::Failed(why));
        }
        self.clean(&names);
        verdicts.insert(place, Outcome::Worked(counted(entries.len())));
        (entries, verdicts)
    }

    fn read_entry(&self, name: &str, node: NodeId) -> io::Result<Read> {
        let file = self.directory.open_file(name)?;
        if let Some(flaw) = file_flaw(&file)? {
            return Ok(Read::Unusable(flaw));
        }
        let mut bytes = Vec::new();
        (&file).take(RENDEZVOUS_ENTRY_MAX as u64).read_to_end(&mut bytes)?;
        let entry = match Entry::decode(&bytes) {
            Ok(entry) if entry.node == node => entry,
            Ok(_) => return Ok(Read::Unusable("holds the entry of another node".to_owned())),
            Err(malformed) => return Ok(Read::Unusable(malformed.to_string())),
        };
        if entry.host.boot_id != self.here.boot_id {
            // A lock on a shared file system says nothing of another host, so it is not asked.
            return Ok(Read::Elsewhere(OTHER_HOST));
        }
        if !is_held(&file)? {
            self.bury(&file, name)?;
            return Ok(Read::Stale);
        }
        Ok(if !self.may_know(&entry) {
            Read::Stranger
        } else if entry.host.network == self.here.network {
            Read::Alive(entry)
        } else {
            Read::Elsewhere(OTHER_NAMESPACE)
        })
    }

    fn may_know(&self, entry: &Entry) -> bool {
        let Some(crypto) = &self.crypto else { return true };
        crypto.keys().iter().any(|key| entry.keys.contains(key))
    }

    /// Takes away what a dead node left, unless another file has its name by now.
    fn bury(&self, file: &File, name: &str) -> io::Result<()> {
        if self.part == Part::Member && self.directory.is_named(file, name)? {
            self.directory.remove(name)?;
            self.directory.remove(&format!("{name}{SOCKET}"))?;
        }
        Ok(())
    }

    /// Takes away what was never finished. It harms nobody, so a failure is not told.
    fn clean(&self, names: &[String]) {
        if self.part == Part::Visitor {
            return;
        }
        for name in names.iter().filter(|name| name.starts_with(TEMPORARY)) {
            let made = self.directory.open_file(name).and_then(|file| file.metadata()?.modified());
            let age = made.ok().and_then(|made| SystemTime::now().duration_since(made).ok());
            if age.is_some_and(|age| age > ABANDONED) {
                let _ = self.directory.remove(name);
            }
        }
    }

    async fn look(self, findings: mpsc::Sender<Finding>) -> Result<(), NobodyListens> {
        let mut teller = Teller::new(Source::Rendezvous, findings);
        let start = Instant::now();
        let mut sight = Sight::New;
        loop {
            let changed = self.directory.changed().ok();
            if sight.is_due(changed) {
                let (entries, verdicts) = self.read();
                for entry in entries {
                    teller.suggest(Some(entry.node), entry.addresses).await?;
                }
                teller.judge(verdicts).await?;
                sight = sight.after_reading(changed);
            }
            let (often, until) = EAGER;
            let pause = if start.elapsed() < until { often } else { STEADY };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.awake_after(often) => {}
                () = teller.findings.closed() => return Err(NobodyListens),
            }
        }
    }

    /// Until the process is awake for another reason, `pause` from now or later.
    async fn awake_after(&self, pause: Duration) {
        let earliest = Instant::now() + pause;
        loop {
            self.awake.notified().await;
            if earliest <= Instant::now() {
                return;
            }
        }
    }
}

impl Finder for Rendezvous {
    fn run(self: Box<Self>, findings: mpsc::Sender<Finding>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let Err(NobodyListens) = self.look(findings).await else { return };
        })
    }
}

/// What the last reading saw. The clock of a directory is coarse: a change just after a reading can have its time.
/// So a change is read twice, a pause apart.
#[derive(Clone, Copy)]
enum Sight {
    New,
    Once { changed: Option<(i64, i64)> },
    Settled { changed: Option<(i64, i64)>, at: Instant },
}

impl Sight {
    fn is_due(self, now_changed: Option<(i64, i64)>) -> bool {
        match self {
            Self::New | Self::Once { .. } => true,
            Self::Settled { changed, at } => {
                changed != now_changed || now_changed.is_none() || at.elapsed() >= REREAD
            }
        }
    }

    fn after_reading(self, read: Option<(i64, i64)>) -> Self {
        match self {
            Self::Once { changed } | Self::Settled { changed, .. } if changed == read => {
                Self::Settled { changed, at: Instant::now() }
            }
            _ => Self::Once { changed: read },
        }
    }
}

fn counted(others: usize) -> String {
    match others {
        0 => "no other node".to_owned(),
        1 => "1 other node".to_owned(),
        more => format!("{more} other nodes"),
    }
}

#[cfg(test)]
#[path = "rendezvous_tests.rs"]
mod tests;
