//! How does a node come to life?

use super::access::Access;
use super::gate::Gate;
use super::keys::{self, mesh_key};
use super::links::Links;
use super::listen::{self, Ears};
use super::offers::Offers;
use super::packets::Packets;
use super::topics::Topics;
use super::turn::{Askers, Turner};
use super::{Life, Numbers, Runtime, SAID_MAX, Seams};
use crate::clock::Clock;
use crate::config::Keys;
use crate::config::settings::{DiscoverySettings, Rendezvous as Place, Settings};
use crate::discovery::directory::Directory;
use crate::discovery::host::HostMark;
use crate::discovery::rendezvous::{Entry, Part, Registration, Rendezvous};
use crate::discovery::scout::{Reach, Scout};
use crate::discovery::seeds::Seeds;
use crate::discovery::verdicts::Verdicts;
use crate::discovery::{About, Finder, Finding};
use crate::error::{ConfigError, JoinError};
use crate::events::EventSource;
use crate::security::identity::Identity;
use crate::security::{MeshKey, RingCrypto, Tls, random, sha256};
use homing_core::authorize::Authorize;
use homing_core::budget::Budget;
use homing_core::crypto::Crypto;
use homing_core::id::NodeId;
use homing_core::limits::FINDINGS_MAX;
use homing_core::node::{BackOff, Input, Node, NodeConfig};
use homing_core::registry::{Filter, Snapshot};
use homing_core::rng::Rng;
use homing_core::talk::{Code, Status};
use homing_core::wire::{Kind, Peer};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Where nodes of one user and host meet, and what they know of each other's host.
struct Ground {
    directory: Option<Arc<Directory>>,
    here: HostMark,
}

/// Brings a node to life; its tasks run from here on.
///
/// # Errors
/// What the settings ask for cannot be had.
pub(crate) fn start(settings: Settings) -> Result<Arc<Runtime>, JoinError> {
    let ground = Ground { directory: open_directory(&settings)?, here: HostMark::here() };
    let key = mesh_key(&settings, ground.directory.as_deref())?;
    let identity = match &settings.identity {
        Some(file) => Identity::open(file)?,
        None => Identity::fresh(),
    };
    let tls = tls(&settings, &key, identity.seed())?;
    let crypto = RingCrypto::new(identity.seed(), &key).map_err(|_| no_crypto())?;
    let crypto = Arc::new(crypto);
    let id = crypto.id();
    let kind: Kind = settings.kind.into();
    let ears = listen::open(&settings, id, ground.directory.as_deref(), ground.here.token())?;
    let me = Peer {
        id,
        key: crypto.public_key(),
        epoch: identity.epoch(),
        kind,
        name: settings.name.clone(),
        agent: concat!("homing/", env!("CARGO_PKG_VERSION")).into(),
        addresses: Vec::new(),
    };
    let digest = sha256(settings.mesh.as_str().as_bytes());
    let seams = Seams {
        crypto: crypto.clone(),
        tls,
        gate: Gate::new(&settings.limits),
        budget: Arc::new(Budget::new(settings.limits.budget)),
        mesh: *digest.first_chunk().expect("a digest has 32 bytes"),
        host: ground.here.token(),
        addresses: watch::Sender::new(ears.addresses.clone()),
        verdicts: Verdicts::default(),
        awake: Arc::default(),
    };
    let (said, hearing) = mpsc::channel(SAID_MAX);
    let epoch = AtomicU64::new(me.epoch.0);
    let life = Life {
        numbers: Numbers { epoch, ..Numbers::default() },
        desks: super::why::Desks::default(),
        threads: tokio::runtime::Handle::current(),
        said,
        tasks: TaskTracker::new(),
        closing: CancellationToken::new(),
        over: CancellationToken::new(),
        is_over: AtomicBool::new(false),
    };
    let snapshots = watch::Sender::new(Arc::new(Snapshot::default()));
    let access = Access::new(&settings.access, id, &snapshots)?;
    let runtime = Arc::new(Runtime {
        me,
        settings,
        clock: Clock::new(),
        links: Links::default(),
        offers: Offers::default(),
        topics: Topics::default(),
        snapshots,
        events: EventSource::new(),
        access,
        packets: Packets::default(),
        seams,
        life,
    });
    set_going(&runtime, ears, &ground, (hearing, identity))?;
    if let Keys::File(file) = &runtime.settings.keys {
        let following = keys::follow(Arc::clone(&runtime), crypto, file.clone());
        runtime.life.tasks.spawn(following);
    }
    if runtime.settings.tls.is_some() {
        runtime.life.tasks.spawn(keys::follow_certificates(Arc::clone(&runtime)));
    }
    Ok(runtime)
}

fn set_going(
    runtime: &Arc<Runtime>,
    ears: Ears,
    ground: &Ground,
    (said, identity): (mpsc::Receiver<super::Said>, Identity),
) -> Result<(), JoinError> {
    let registration = publish(runtime, &ears, ground)?;
    let (finder, findings) = mpsc::channel(FINDINGS_MAX);
    let scout = start_discovery(runtime, ground, finder);
    let tasks = &runtime.life.tasks;
    if let Some(bound) = ears.wide(&runtime.settings) {
        tasks.spawn(listen::follow_interfaces(Arc::clone(runtime), bound));
    }
    let Ears { listeners, datagrams, addresses, .. } = ears;
    for listener in listeners {
        tasks.spawn(listen::accept(Arc::clone(runtime), listener));
    }
    for socket in &datagrams {
        tasks.spawn(listen::hear(Arc::clone(runtime), Arc::clone(socket)));
    }
    let mut machine = node_machine(runtime);
    machine.handle_input(runtime.clock.now(), Input::Listening { addresses });
    let turner = Turner {
        runtime: Arc::clone(runtime),
        machine,
        said,
        findings,
        scout,
        datagrams,
        alarm: runtime.settings.net.alarm(),
        askers: Askers::default(),
        registration,
        identity,
        lives: 1,
    };
    runtime.watch_access();
    tasks.spawn(turner.run());
    Ok(())
}

fn node_machine(runtime: &Runtime) -> Node {
    let config = NodeConfig {
        me: runtime.peer(),
        mesh: runtime.settings.mesh.clone(),
        host: runtime.seams.host,
        seeds: Vec::new(), // They are resolved, and suggested, by discovery.
        redial: BackOff {
            min: runtime.settings.timings.redial_min,
            max: runtime.settings.timings.redial_max,
        },
        guard: runtime.settings.keys.guard().into(),
        token: runtime.shown_token(),
        interest: Filter::All,
    };
    let rng = Rng::from_seed(u64::from_be_bytes(random()));
    let crypto = Arc::clone(&runtime.seams.crypto);
    let mut machine = Node::new(runtime.clock.now(), config, rng, crypto);
    machine.set_authorize(Arc::clone(&runtime.access.gate) as Arc<dyn Authorize>);
    machine
}

pub(super) fn open_directory(settings: &Settings) -> Result<Option<Arc<Directory>>, JoinError> {
    let base = match &settings.discovery.rendezvous {
        Place::Nowhere => return Ok(None),
        Place::Usual => None,
        Place::Under(base) => Some(base.as_path()),
    };
    let directory = Directory::open(base, &settings.mesh);
    directory
        .map(|directory| Some(Arc::new(directory)))
        .map_err(|error| JoinError::Rendezvous(error.into()))
}

/// With a key links over TCP are encrypted, and without one nobody could say who is at the other end.
fn tls(settings: &Settings, key: &MeshKey, seed: &[u8; 32]) -> Result<Option<Tls>, JoinError> {
    match (key, &settings.tls) {
        (MeshKey::Keyed(_), None) => Ok(Some(Tls::of_identity(seed))),
        (MeshKey::Keyed(_), Some(authority)) => Ok(Some(Tls::of_authority(authority.clone())?)),
        (MeshKey::Local(_) | MeshKey::Insecure, None) => Ok(None),
        (MeshKey::Local(_) | MeshKey::Insecure, Some(authority)) => {
            let problem =
                "certificates come beside a mesh key, which seals what is no link: there is none";
            Err(ConfigError::new("tls", &authority.cert.display(), problem).into())
        }
    }
}

/// Puts a member into the rendezvous directory; a visitor is found by nobody.
fn publish(
    runtime: &Runtime,
    ears: &Ears,
    ground: &Ground,
) -> Result<Option<Registration>, JoinError> {
    let Some(directory) = &ground.directory else { return Ok(None) };
    if runtime.me.kind == Kind::Visitor {
        return Ok(None);
    }
    let Peer { id: node, epoch, .. } = runtime.me;
    let (host, addresses) = (ground.here.clone(), ears.addresses.clone());
    let keys = runtime.seams.crypto.keys();
    let entry = Entry { node, epoch, host, addresses, keys };
    Registration::publish(Arc::clone(directory), entry)
        .map(Some)
        .map_err(|error| JoinError::Rendezvous(error.into()))
}

/// Sets all sources going at once; none blocks another.
fn start_discovery(
    runtime: &Arc<Runtime>,
    ground: &Ground,
    finder: mpsc::Sender<Finding>,
) -> Option<Scout> {
    let discovery = &runtime.settings.discovery;
    let me: NodeId = runtime.me.id;
    if let Some(directory) = &ground.directory {
        let part = match runtime.me.kind {
            Kind::Member => Part::Member,
            Kind::Visitor => Part::Visitor,
        };
        let crypto = Arc::clone(&runtime.seams.crypto);
        let here = ground.here.clone();
        let source = Rendezvous::new(Arc::clone(directory), me, here, part)
            .with_keys_of(crypto)
            .when(Arc::clone(&runtime.seams.awake));
        look(runtime, Box::new(source), finder.clone());
    }
    if !discovery.seeds.is_empty() {
        let source = Seeds::new(discovery.seeds.clone(), discovery.port);
        look(runtime, Box::new(source), finder.clone());
    }
    for source in &runtime.settings.sources {
        look(runtime, Box::new(source.clone().about(about(runtime))), finder.clone());
    }
    #[cfg(feature = "redis")]
    look_in_redis(runtime, &finder);
    if !discovery.scouting {
        return None;
    }
    Some(if runtime.settings.leaves_host() {
        Scout::on_network(reach(discovery), finder)
    } else {
        Scout::on_host(&runtime.settings.net, discovery.port, finder)
    })
}

/// How far calls to everybody are to go.
pub(super) fn reach(discovery: &DiscoverySettings) -> Reach {
    Reach {
        port: discovery.port,
        groups: discovery.groups.clone(),
        ttl: discovery.ttl.into(),
        interfaces: discovery.interfaces.clone(),
    }
}

fn about(runtime: &Runtime) -> About {
    About {
        mesh: runtime.settings.mesh.clone(),
        node: runtime.me.id,
        addresses: runtime.seams.addresses.subscribe(),
    }
}

/// It sees by itself when the node closes, for then it has something left to do.
#[cfg(feature = "redis")]
fn look_in_redis(runtime: &Runtime, findings: &mpsc::Sender<Finding>) {
    use crate::discovery::redis::{Part, Redis};
    let Some(url) = &runtime.settings.discovery.redis else { return };
    let part = match runtime.me.kind {
        Kind::Member => Part::Member,
        Kind::Visitor => Part::Visitor,
    };
    let source = Redis::new(url.clone(), about(runtime), part);
    let closing = runtime.life.closing.clone();
    runtime.life.tasks.spawn(source.run(findings.clone(), closing));
}

fn look(runtime: &Runtime, finder: Box<dyn Finder>, findings: mpsc::Sender<Finding>) {
    let closing = runtime.life.closing.clone();
    runtime.life.tasks.spawn(async move {
        tokio::select! {
            () = finder.run(findings) => {}
            () = closing.cancelled() => {}
        }
    });
}

fn no_crypto() -> JoinError {
    JoinError::Refused(Status::not_started(Code::Internal, "the cryptography refused its keys"))
}
