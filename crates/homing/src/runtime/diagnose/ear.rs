//! Who is heard when everybody is asked? On this host, on the network, and in the directories of this user.

use super::super::Runtime;
use super::super::start::{open_directory, reach};
use crate::diagnosis::Audible;
use crate::discovery::directory::Directory;
use crate::discovery::host::HostMark;
use crate::discovery::rendezvous::{Entry, Part, Rendezvous};
use crate::discovery::scout::{Heard, Scout};
use crate::discovery::{Finding, Outcome};
use crate::info::Guard;
use crate::security::{MeshKey, key_id, local::local_key, random};
use homing_core::crypto::KeyId;
use homing_core::id::NodeId;
use homing_core::limits::{FINDINGS_MAX, RENDEZVOUS_MESHES_MAX};
use homing_core::name::MeshName;
use homing_core::node::Source;
use homing_core::survey::{Survey, Voice};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// When everybody is asked: a question may be lost, and a node may be busy.
const QUESTIONS: [Duration; 3] =
    [Duration::ZERO, Duration::from_millis(300), Duration::from_millis(900)];

/// A place where one can hear.
pub(super) type Place = (Source, Arc<str>);

/// How far to listen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Scope {
    /// As far as the node itself calls.
    Own,
    /// On this host and on the network, whatever the node may do otherwise. The question tells nothing of who asks.
    All,
}

/// What was heard.
pub(super) struct Earshot {
    pub(super) survey: Survey<Place>,
    /// What calling came to, in each place.
    pub(super) verdicts: BTreeMap<String, Outcome>,
}

/// Asks everybody, and listens for so long.
pub(super) async fn survey(runtime: &Arc<Runtime>, scope: Scope, patience: Duration) -> Earshot {
    let (findings, mut found) = mpsc::channel(FINDINGS_MAX);
    let mut scouts = scouts(runtime, scope, &findings);
    let mut heard = Earshot {
        survey: Survey::new(NodeId::from_bytes(random()), runtime.me.id),
        verdicts: BTreeMap::new(),
    };
    let begun = Instant::now();
    let mut questions = QUESTIONS.into_iter().peekable();
    loop {
        let next = questions.peek().map_or(patience, |after| *after).min(patience);
        tokio::select! {
            biased;
            one = hear(&mut scouts) => heard.take(runtime, one),
            Some(finding) = found.recv() => heard.note(finding),
            () = sleep_until(begun + next) => {
                if next >= patience {
                    return heard;
                }
                questions.next();
                for scout in &scouts {
                    scout.send(heard.survey.question());
                }
            }
        }
    }
}

impl Earshot {
    fn take(&mut self, runtime: &Runtime, heard: Heard) {
        let Heard { source, place, from, mut bytes } = heard;
        let crypto = &*runtime.seams.crypto;
        self.survey.handle_datagram(from, &(source, place), &mut bytes, crypto);
    }

    fn note(&mut self, finding: Finding) {
        if let Finding::Verdict(verdict) = finding {
            self.verdicts.insert(verdict.tried, verdict.outcome);
        }
    }
}

fn scouts(runtime: &Runtime, scope: Scope, findings: &mpsc::Sender<Finding>) -> Vec<Scout> {
    let settings = &runtime.settings;
    let discovery = &settings.discovery;
    if !discovery.scouting {
        return Vec::new();
    }
    let mut scouts = Vec::new();
    let on_network = settings.leaves_host() || (scope == Scope::All && settings.is_real());
    if on_network {
        scouts.push(Scout::on_network(reach(discovery), findings.clone()));
    }
    if scope == Scope::All || !on_network {
        scouts.push(Scout::on_host(&settings.net, discovery.port, findings.clone()));
    }
    scouts
}

/// The next datagram of any of them; never, where there is none.
async fn hear(scouts: &mut [Scout]) -> Heard {
    let heard = match scouts {
        [] => None,
        [one] => one.hear().await,
        [one, other, ..] => tokio::select! {
            Some(heard) = one.hear() => Some(heard),
            Some(heard) = other.hear() => Some(heard),
            else => None,
        },
    };
    match heard {
        Some(heard) => heard,
        None => std::future::pending().await,
    }
}

/// What is known of somebody who was heard.
pub(super) fn audible(runtime: &Runtime, id: NodeId, voice: &Voice<Place>) -> Audible {
    let (source, place) = voice.places.first().expect("who was heard was heard somewhere");
    let opened = voice.opened.as_ref();
    let mine = runtime.settings.mesh == voice.banner.mesh;
    Audible {
        mesh: voice.banner.mesh.clone(),
        id,
        name: mine.then(|| runtime.known_name(id)).flatten(),
        kind: opened.map(|opened| opened.kind.into()),
        guard: voice.banner.guard.into(),
        keys: vec![voice.key],
        held: opened.is_some(),
        heard: source.to_string(),
        place: place.to_string(),
        from: Some(voice.from.ip()),
        addresses: opened.map(|opened| opened.addresses.clone()).unwrap_or_default(),
    }
}

/// The living nodes of this user on this host, of every mesh; at most
/// [`RENDEZVOUS_MESHES_MAX`] meshes.
pub(super) fn of_this_user(runtime: &Runtime) -> Vec<Audible> {
    let Ok(Some(mine)) = open_directory(&runtime.settings) else { return Vec::new() };
    let Some(base) = mine.path().parent() else { return Vec::new() };
    let Ok(names) = std::fs::read_dir(base) else { return Vec::new() };
    let names = names.flatten().filter_map(|name| name.file_name().into_string().ok());
    let mut meshes: Vec<MeshName> = names.filter_map(|name| name.parse().ok()).collect();
    meshes.sort_unstable();
    meshes.truncate(RENDEZVOUS_MESHES_MAX);
    let of_mesh = |mesh: MeshName| {
        // One that is not this user's alone is no directory of ours.
        let directory = Directory::open(Some(base), &mesh).ok()?;
        Some(of_directory(runtime, &mesh, Arc::new(directory)))
    };
    meshes.into_iter().filter_map(of_mesh).flatten().collect()
}

fn of_directory(runtime: &Runtime, mesh: &MeshName, directory: Arc<Directory>) -> Vec<Audible> {
    let place = directory.path().display().to_string();
    let local = local_id(&directory);
    let reader = Rendezvous::new(directory, runtime.me.id, HostMark::here(), Part::Visitor);
    let (entries, _) = reader.read();
    let known = |entry: Entry| {
        let mine = runtime.settings.mesh == *mesh;
        Audible {
            mesh: mesh.clone(),
            id: entry.node,
            name: mine.then(|| runtime.known_name(entry.node)).flatten(),
            kind: Some(homing_core::wire::Kind::Member.into()),
            guard: guard(&entry, local),
            held: is_held(runtime, &entry.keys, local),
            keys: entry.keys,
            heard: Source::Rendezvous.to_string(),
            place: place.clone(),
            from: None,
            addresses: entry.addresses,
        }
    };
    entries.into_iter().map(known).collect()
}

/// The id of the local key of a directory, where it has one; none is made.
fn local_id(directory: &Directory) -> Option<KeyId> {
    directory.open_file(crate::security::local::KEY_FILE).ok()?;
    match local_key(directory) {
        Ok(MeshKey::Local(key)) => Some(key_id(&key)),
        _ => None,
    }
}

fn guard(entry: &Entry, local: Option<KeyId>) -> Guard {
    match entry.keys.as_slice() {
        [] | [KeyId::NONE] => Guard::Insecure,
        keys if local.is_some_and(|local| keys.contains(&local)) => Guard::Local,
        _ => Guard::Keyed,
    }
}

/// Whether this program could join a mesh of those keys, under whatever name: by the keys of its node, or by the local
/// one, which it can read.
fn is_held(runtime: &Runtime, keys: &[KeyId], local: Option<KeyId>) -> bool {
    is_mine(runtime, keys) || local.is_some_and(|local| keys.contains(&local))
}

fn is_mine(runtime: &Runtime, keys: &[KeyId]) -> bool {
    let held = runtime.seams.crypto.keys();
    keys.iter().any(|key| held.contains(key))
}

/// The entries in the directory of the node's own mesh that hold none of its keys.
pub(super) fn strangers_here(runtime: &Runtime) -> Vec<Audible> {
    let Ok(Some(directory)) = open_directory(&runtime.settings) else { return Vec::new() };
    let mesh = runtime.settings.mesh.clone();
    let all = of_directory(runtime, &mesh, directory);
    let strangers = all.into_iter().filter(|entry| !is_mine(runtime, &entry.keys));
    strangers.map(|stranger| Audible { held: false, ..stranger }).collect()
}
