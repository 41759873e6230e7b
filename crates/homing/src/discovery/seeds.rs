//! Who is at the addresses that the user gave? Whoever they lead to, asked again and again.
//!
//! A seed is `host:port`, or a host or an address alone; then the port is the mesh's. `srv:example.org` stands for the
//! service records of `_homing._tcp.example.org`, and a name that begins with an underscore for its own. One that is wrong
//! or cannot be resolved is a verdict: the others still count, and names change.
//!
//! Each seed has a task of its own and one question under way at a time. A name server that does not answer holds up no
//! other seed, and what was resolved before goes on being suggested.

use std::collections::BTreeMap;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use homing_core::addr::TransportAddr;
use homing_core::limits::{ADDRESSES_MAX, SEED_ADDRESSES_MAX, SEEDS_MAX};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::resolve::{Found, KNOWS_SERVICES, Resolve, System};
use super::{Finder, Finding, NobodyListens, Outcome, Source, Teller};
use crate::net::BoxFuture;

/// How often a seed is resolved, and suggested.
const RESOLVE_PERIOD: Duration = Duration::from_secs(15);
/// The same, of one that could not be resolved.
const RETRY_PERIOD: Duration = Duration::from_secs(5);
/// After so long without an answer a verdict says so. The answer is still waited for: no second question is asked.
const LOOKUP_TIME: Duration = Duration::from_secs(5);

/// The seeds of a node.
pub(crate) struct Seeds {
    given: Vec<String>,
    default_port: u16,
    resolver: Arc<dyn Resolve>,
}

impl Seeds {
    /// Seeds as the user wrote them. Beyond [`SEEDS_MAX`] they are left out, with a verdict.
    pub(crate) fn new(seeds: Vec<String>, default_port: u16) -> Self {
        Self { given: seeds, default_port, resolver: Arc::new(System) }
    }
}

impl Finder for Seeds {
    fn run(self: Box<Self>, findings: mpsc::Sender<Finding>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let mut asking = JoinSet::new();
            for (number, text) in self.given.into_iter().enumerate() {
                let findings = findings.clone();
                match Seed::parse(&text, self.default_port) {
                    Ok(seed) if number < SEEDS_MAX => {
                        let teller = Teller::new(seed.source(), findings);
                        let resolver = Arc::clone(&self.resolver);
                        asking.spawn(Asker { text, seed, resolver, teller, known: vec![] }.run());
                    }
                    Ok(seed) => {
                        let why = format!("not asked: at most {SEEDS_MAX} seeds");
                        asking.spawn(refuse(text, why, Teller::new(seed.source(), findings)));
                    }
                    Err(why) => {
                        asking.spawn(refuse(text, why, Teller::new(Source::Seed, findings)));
                    }
                }
            }
            while asking.join_next().await.is_some() {}
        })
    }
}

/// What a seed stands for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Seed {
    /// An address.
    Place(SocketAddr),
    /// The addresses of a host.
    Host(String, u16),
    /// The targets of a service record.
    Service(String),
}

impl Seed {
    /// Reads what the user wrote.
    ///
    /// # Errors
    /// It has no such form; what would be right.
    pub(crate) fn parse(seed: &str, default_port: u16) -> Result<Self, String> {
        if let Some(name) = seed.strip_prefix("srv:") {
            return service(name);
        }
        if seed.starts_with('_') {
            return service(seed);
        }
        let (host, port) = split(seed, default_port)?;
        Ok(match host.parse::<IpAddr>() {
            Ok(ip) => Self::Place(SocketAddr::new(ip, port)),
            Err(_) => Self::Host(host.to_owned(), port),
        })
    }

    /// Who looks for it.
    pub(crate) fn source(&self) -> Source {
        match self {
            Self::Place(_) => Source::Seed,
            Self::Host(..) => Source::Dns,
            Self::Service(_) => Source::Srv,
        }
    }

    fn look_up(&self, resolver: &dyn Resolve) -> BoxFuture<'static, Found> {
        match self {
            Self::Place(at) => Box::pin(std::future::ready(Ok(vec![*at]))),
            Self::Host(host, port) => resolver.addresses(host.clone(), *port),
            Self::Service(name) => resolver.service(name.clone()),
        }
    }
}

fn service(name: &str) -> Result<Seed, String> {
    if !KNOWS_SERVICES {
        return Err("needs a program that was built with the feature srv".to_owned());
    }
    if name.is_empty() || name.contains(':') {
        return Err("is not srv: and a name without a port, such as srv:example.org".to_owned());
    }
    let prefix = if name.starts_with('_') { "" } else { "_homing._tcp." };
    Ok(Seed::Service(format!("{prefix}{name}")))
}

/// Asks for one seed.
struct Asker {
    text: String,
    seed: Seed,
    resolver: Arc<dyn Resolve>,
    teller: Teller,
    /// The addresses of the last time that there were any.
    known: Vec<SocketAddr>,
}

impl Asker {
    async fn run(mut self) -> Result<(), NobodyListens> {
        loop {
            let pause = match self.look_up().await? {
                Ok(found) => {
                    self.known = found;
                    self.judge(Outcome::Worked(listed(&self.known))).await?;
                    RESOLVE_PERIOD
                }
                Err(why) => {
                    let kept = match &self.known[..] {
                        [] => String::new(),
                        known => format!("; still tried: {}", listed(known)),
                    };
                    self.judge(Outcome::Failed(format!("{why}{kept}"))).await?;
                    RETRY_PERIOD
                }
            };
            self.suggest().await?;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.teller.findings.closed() => return Err(NobodyListens),
            }
        }
    }

    /// The answer, however long it takes.
    async fn look_up(&mut self) -> Result<Found, NobodyListens> {
        let mut answer = self.seed.look_up(&*self.resolver);
        loop {
            if let Ok(found) = timeout(LOOKUP_TIME, &mut answer).await {
                return Ok(found.and_then(some_of));
            }
            let waiting = format!("no answer within {LOOKUP_TIME:?}; waiting for it");
            self.judge(Outcome::Failed(waiting)).await?;
            self.suggest().await?;
        }
    }

    async fn suggest(&self) -> Result<(), NobodyListens> {
        for some in self.known.chunks(ADDRESSES_MAX) {
            let addresses = some.iter().copied().map(TransportAddr::Tcp).collect();
            self.teller.suggest(None, addresses).await?;
        }
        Ok(())
    }

    async fn judge(&mut self, outcome: Outcome) -> Result<(), NobodyListens> {
        self.teller.judge(BTreeMap::from([(self.text.clone(), outcome)])).await
    }
}

async fn refuse(seed: String, why: String, mut teller: Teller) -> Result<(), NobodyListens> {
    teller.judge(BTreeMap::from([(seed, Outcome::Failed(why))])).await
}

/// The addresses of a seed, at most [`ADDRESSES_MAX`].
///
/// # Errors
/// It has no such form, or its name no address.
pub(crate) async fn resolve(seed: &str, default_port: u16) -> Result<Vec<SocketAddr>, String> {
    let mut addresses = some_of(Seed::parse(seed, default_port)?.look_up(&System).await?)?;
    addresses.truncate(ADDRESSES_MAX);
    Ok(addresses)
}

/// Each address once, in the order in which they came, and not too many.
fn some_of(mut addresses: Vec<SocketAddr>) -> Found {
    let mut seen = std::collections::BTreeSet::new();
    addresses.retain(|address| seen.insert(*address));
    addresses.truncate(SEED_ADDRESSES_MAX);
    if addresses.is_empty() { Err("has no address".to_owned()) } else { Ok(addresses) }
}

/// For people; in an order that does not change when name servers give theirs another, as they do.
fn listed(addresses: &[SocketAddr]) -> String {
    let mut addresses = addresses.to_vec();
    addresses.sort_unstable();
    let shown: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    shown.join(", ")
}

/// Host and port of a seed.
///
/// # Errors
/// It has no such form; what would be right.
fn split(seed: &str, default_port: u16) -> Result<(&str, u16), String> {
    let is_address = seed.parse::<IpAddr>().is_ok();
    let (host, port) = match seed.rsplit_once(':') {
        Some((host, port)) if !is_address && !seed.ends_with(']') => {
            let port = port.parse().ok().filter(|port| *port != 0);
            (host, port.ok_or("is not host:port with a port from 1 to 65535")?)
        }
        _ => (seed, default_port),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if bare.is_empty() {
        return Err("names no host".to_owned());
    }
    Ok((bare, port))
}

#[cfg(test)]
#[path = "seeds_tests.rs"]
mod tests;
