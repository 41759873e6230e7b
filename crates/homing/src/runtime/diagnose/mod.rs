//! How does a node find out why it finds others, or does not? It looks, listens and tries everywhere, now.
//!
//! What that means is decided elsewhere, from the data alone (see [`conclude`]).

mod ear;
mod probe;

use super::Runtime;
use super::start::open_directory;
use crate::diagnosis::conclude::{Network, Seen, conclude};
use crate::diagnosis::{Audible, Diagnosis, LookState, Looked, Probed};
use crate::discovery::Outcome;
use crate::discovery::host::HostMark;
use crate::discovery::rendezvous::{Entry, Part, Rendezvous};
use crate::discovery::seeds::Seed;
use crate::error::JoinError;
use crate::info::NodeState;
use ear::{Earshot, Scope};
use homing_core::addr::TransportAddr;
use homing_core::id::NodeId;
use homing_core::limits::{AUDIBLE_MAX, DIAGNOSED_MAX};
use homing_core::name::NodeName;
use homing_core::node::Source;
use homing_core::wire::Kind;
use probe::Prober;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long everybody may take to be heard, at most; and the part of the time there is that this may be.
const LISTENING: (Duration, u32) = (Duration::from_millis(1_500), 3);

/// How long one address may take, at most.
const PER_ADDRESS: Duration = Duration::from_secs(2);

/// Nodes that are tried at once.
const AT_ONCE: usize = 32;

/// Somebody, or somewhere, to be tried.
struct Target {
    id: Option<NodeId>,
    name: Option<NodeName>,
    found: String,
    state: Option<NodeState>,
    from: Option<IpAddr>,
    addresses: BTreeSet<TransportAddr>,
}

impl Runtime {
    /// Looks, listens and tries everywhere; takes about `patience`.
    ///
    /// # Errors
    /// The keys cannot be read any more.
    pub(crate) async fn diagnose(
        self: &Arc<Self>,
        patience: Duration,
    ) -> Result<Diagnosis, JoinError> {
        let listening = LISTENING.0.min(patience / LISTENING.1);
        let limit = PER_ADDRESS.min(patience.saturating_sub(listening) / 2);
        let prober = Arc::new(Prober::new(self, limit)?);
        let synced = timeout(listening, self.synced());
        let (heard, _) = tokio::join!(ear::survey(self, Scope::Own, listening), synced);
        let (entries, verdicts) = self.read_directory()?;
        let sources = self.sources(&heard, &entries, verdicts);
        let targets = self.targets(&heard, &entries, &sources).await;
        let nodes = self.probe_all(&prober, targets).await;
        let strangers = self.strangers(&heard);
        let node = self.info();
        let networks = networks();
        let seen = Seen {
            node: &node,
            sources: &sources,
            nodes: &nodes,
            strangers: &strangers,
            networks: &networks,
        };
        let (outlook, summary, findings) = conclude(seen);
        let keys = self.seams.crypto.keys();
        Ok(Diagnosis { outlook, summary, node, keys, sources, nodes, strangers, findings })
    }

    /// The nodes of every mesh that can be heard from here; takes `patience`.
    pub(crate) async fn audible(self: &Arc<Self>, patience: Duration) -> Vec<Audible> {
        let heard = ear::survey(self, Scope::All, patience).await;
        let mut all: BTreeMap<_, _> = ear::of_this_user(self)
            .into_iter()
            .map(|audible| ((audible.mesh.clone(), audible.id), audible))
            .collect();
        for (id, voice) in heard.survey.voices() {
            let key = (voice.banner.mesh.clone(), *id);
            all.entry(key).or_insert_with(|| ear::audible(self, *id, voice));
        }
        let me = self.me.id;
        all.into_values().filter(|audible| audible.id != me).take(AUDIBLE_MAX).collect()
    }

    /// What is known of a node's name.
    fn known_name(&self, node: NodeId) -> Option<NodeName> {
        self.snapshots.borrow().node(&node).map(|known| known.record.name.clone())
    }

    fn read_directory(&self) -> Result<(Vec<Entry>, BTreeMap<String, Outcome>), JoinError> {
        let Some(directory) = open_directory(&self.settings)? else {
            return Ok(Default::default());
        };
        let reader = Rendezvous::new(directory, self.me.id, HostMark::here(), Part::Visitor);
        Ok(reader.with_keys_of(Arc::clone(&self.seams.crypto)).read())
    }

    /// Every place that was looked at: the directory and the calls just now, all else as it was told last.
    fn sources(
        &self,
        heard: &Earshot,
        entries: &[Entry],
        directory: BTreeMap<String, Outcome>,
    ) -> Vec<Looked> {
        let of_directory = directory.into_iter().map(|(place, outcome)| {
            let count = if outcome.is_failure() { 0 } else { entries.len() };
            looked(Source::Rendezvous, place, outcome, count)
        });
        let networks = networks().into_iter().map(|network| network.ip);
        let own: Vec<IpAddr> = networks.filter(|ip| !ip.is_loopback()).collect();
        let of_calls = heard.verdicts.iter().map(|(place, outcome)| {
            // Nodes of this host hear each other on its interfaces whatever the network does.
            let is_here = |voice: &homing_core::survey::Voice<ear::Place>| {
                voice.places.iter().any(|(_, at)| **at == **place)
                    && !own.contains(&voice.from.ip())
            };
            let count = heard.survey.voices().filter(|(_, voice)| is_here(voice)).count();
            looked(source_of(place), place.clone(), outcome.clone(), count)
        });
        let mut all: Vec<_> = of_directory.chain(of_calls).collect();
        let now = self.clock.now();
        let live = [Source::Rendezvous, Source::Broadcast, Source::Multicast];
        for (verdict, since) in self.seams.verdicts.all() {
            if !live.contains(&verdict.source) {
                let for_ms = u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX);
                let looked = looked(verdict.source, verdict.tried, verdict.outcome, 0);
                all.push(Looked { for_ms, ..looked });
            }
        }
        for seed in &self.settings.discovery.seeds {
            if !all.iter().any(|looked| looked.place == *seed) {
                let source = Seed::parse(seed, self.settings.discovery.port);
                let source = source.map_or(Source::Seed, |seed| seed.source());
                let late = Outcome::Failed("the resolver did not answer in time".into());
                all.push(looked(source, seed.clone(), late, 0));
            }
        }
        all
    }

    /// Everybody who is known by any means, and the addresses at which somebody should be.
    async fn targets(&self, heard: &Earshot, entries: &[Entry], sources: &[Looked]) -> Vec<Target> {
        let mut targets: BTreeMap<NodeId, Target> = BTreeMap::new();
        for node in self.nodes().await {
            if node.kind == Kind::Member.into()
                && !matches!(node.state, NodeState::This | NodeState::Gone)
            {
                let mut target = target(Some(node.id), &node.found, node.addresses);
                (target.name, target.state) = (Some(node.name), Some(node.state));
                targets.insert(node.id, target);
            }
        }
        let mut add =
            |(id, from): (NodeId, Option<IpAddr>), found: Source, addresses: &[TransportAddr]| {
                let fresh = || target(Some(id), &found.to_string(), Vec::new());
                let target = targets.entry(id).or_insert_with(fresh);
                target.from = from.or(target.from);
                target.addresses.extend(addresses.iter().cloned());
            };
        for entry in entries {
            add((entry.node, None), Source::Rendezvous, &entry.addresses);
        }
        for (id, voice) in heard.survey.voices() {
            let mine = voice.banner.mesh == self.settings.mesh;
            let opened = voice.opened.as_ref().filter(|opened| mine && opened.kind == Kind::Member);
            if let (Some(opened), Some((source, _))) = (opened, voice.places.first()) {
                add((*id, Some(voice.from.ip())), *source, &opened.addresses);
            }
        }
        let places = sources
            .iter()
            .filter(|looked| matches!(looked.source.as_str(), "seed" | "dns" | "srv"));
        let places = places.flat_map(|looked| {
            let addresses = looked.said.split(", ").filter_map(|at| at.parse::<SocketAddr>().ok());
            addresses.map(|at| target(None, &looked.source, vec![TransportAddr::Tcp(at)]))
        });
        let places: Vec<_> = places.collect();
        targets.into_values().chain(places).take(DIAGNOSED_MAX).collect()
    }

    async fn probe_all(&self, prober: &Arc<Prober>, targets: Vec<Target>) -> Vec<Probed> {
        let room = Arc::new(Semaphore::new(AT_ONCE));
        let known: Arc<BTreeSet<_>> = Arc::new(targets.iter().filter_map(|one| one.id).collect());
        let mut probing = JoinSet::new();
        for (number, target) in targets.into_iter().enumerate() {
            let (prober, room) = (Arc::clone(prober), Arc::clone(&room));
            let known = Arc::clone(&known);
            probing.spawn(async move {
                let _turn = room.acquire().await;
                let place = target.addresses.first().filter(|_| target.id.is_none()).cloned();
                let probed = match place {
                    Some(address) => probe_place(&prober, (target, address), &known).await,
                    None => probe(&prober, target).await,
                };
                (number, probed)
            });
        }
        let mut nodes: Vec<_> = probing.join_all().await;
        nodes.sort_by_key(|(number, _)| *number);
        nodes.into_iter().map(|(_, probed)| probed).collect()
    }

    /// Who was heard and cannot be linked to: of another mesh, or without our key.
    fn strangers(&self, heard: &Earshot) -> Vec<Audible> {
        let mut strangers = ear::strangers_here(self);
        let mine = &self.settings.mesh;
        for (id, voice) in heard.survey.voices() {
            let is_known = strangers.iter().any(|stranger| stranger.id == *id);
            if !is_known && (voice.opened.is_none() || voice.banner.mesh != *mine) {
                strangers.push(ear::audible(self, *id, voice));
            }
        }
        strangers.truncate(AUDIBLE_MAX);
        strangers
    }
}

fn target(id: Option<NodeId>, found: &str, addresses: Vec<TransportAddr>) -> Target {
    let addresses = addresses.into_iter().collect();
    Target { id, name: None, found: found.to_owned(), state: None, from: None, addresses }
}

/// Tries every address of somebody: links, and apart from them datagrams; all at once.
async fn probe(prober: &Arc<Prober>, target: Target) -> Probed {
    let Target { id, name, found, state, from, addresses } = target;
    let mut trying = JoinSet::new();
    for (number, address) in addresses.into_iter().enumerate() {
        if let (Some(to), Some(node)) = (address.tcp(), id) {
            let prober = Arc::clone(prober);
            trying.spawn(async move { (By::Datagram, number, prober.datagram(to, node).await) });
        }
        let prober = Arc::clone(prober);
        trying.spawn(async move { (By::Link, number, prober.link(&address, id).await.0) });
    }
    let mut tried = trying.join_all().await;
    tried.sort_by_key(|(part, number, _)| (*part, *number));
    let tried = tried.into_iter().map(|(_, _, tried)| tried).collect();
    Probed { id, name, found, state, from, tried }
}

/// Tries a place. Who answers there, and is not among the `known`, is tried by datagrams, too: it may be held gone
/// because they do not pass.
async fn probe_place(
    prober: &Arc<Prober>,
    (target, address): (Target, TransportAddr),
    known: &BTreeSet<NodeId>,
) -> Probed {
    let (linked, there) = prober.link(&address, None).await;
    let mut tried = vec![linked];
    let there = there.filter(|node| !known.contains(node));
    if let (Some(node), Some(to)) = (there, address.tcp()) {
        tried.push(prober.datagram(to, node).await);
    }
    let name = there.and_then(|node| prober.name_of(node));
    Probed { id: there, name, found: target.found, state: None, from: None, tried }
}

/// What an address is tried by, in the order of telling.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum By {
    Link,
    Datagram,
}

fn looked(source: Source, place: String, outcome: Outcome, heard: usize) -> Looked {
    let (state, said) = match outcome {
        Outcome::Worked(said) => (LookState::Worked, said),
        Outcome::Failed(why) => (LookState::Failed, why),
    };
    let interface = interface_of(&place).map(str::to_owned);
    Looked { source: source.to_string(), place, interface, state, said, for_ms: 0, heard }
}

/// The interface of a place such as `eth0 10.0.0.7: multicast to 239.255.87.67:8767`.
fn interface_of(place: &str) -> Option<&str> {
    let (whence, _) = place.split_once(" to ")?;
    let (whence, _) = whence.rsplit_once(": ")?;
    Some(whence.rsplit_once(' ')?.0)
}

/// By which way everybody is called at a place.
fn source_of(place: &str) -> Source {
    let is_multicast = place.contains(": multicast to ") || place == "interfaces";
    if is_multicast { Source::Multicast } else { Source::Broadcast }
}

fn networks() -> Vec<Network> {
    let all = if_addrs::get_if_addrs().unwrap_or_default();
    let network = |one: if_addrs::Interface| {
        let prefix = match &one.addr {
            if_addrs::IfAddr::V4(v4) => v4.prefixlen,
            if_addrs::IfAddr::V6(v6) => v6.prefixlen,
        };
        Network { ip: one.ip(), prefix }
    };
    all.into_iter().map(network).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_tells_its_interface_and_the_way_of_calling() {
        for (place, interface, source) in [
            ("eth0 10.0.0.7: multicast to 239.1.2.3:7", Some("eth0"), Source::Multicast),
            ("eth0 10.0.0.7: broadcast to 10.0.0.255:7", Some("eth0"), Source::Broadcast),
            ("eth0 IPv6: multicast to [ff02::1%2]:7", Some("eth0"), Source::Multicast),
            ("127.255.255.255:7", None, Source::Broadcast),
            ("interfaces", None, Source::Multicast),
        ] {
            assert_eq!((interface_of(place), source_of(place)), (interface, source), "{place}");
        }
    }
}
