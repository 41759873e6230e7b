//! Who is at the addresses that the user gave? Whoever the resolver names, asked again and again.
//!
//! A seed is `host:port`, or a host or an address alone; then the port is the mesh's. One that is wrong or cannot be
//! resolved is a verdict: the others still count, and names change.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use homing_core::addr::TransportAddr;
use homing_core::limits::{ADDRESSES_MAX, SEEDS_MAX};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Finder, Finding, NobodyListens, Outcome, Source, Teller};
use crate::net::BoxFuture;

/// How often a seed is resolved.
const RESOLVE_PERIOD: Duration = Duration::from_secs(30);

/// The seeds of a node.
pub(crate) struct Seeds {
    seeds: Vec<String>,
    default_port: u16,
}

impl Seeds {
    /// Seeds as the user wrote them. Beyond [`SEEDS_MAX`] they are left out, with a verdict.
    pub(crate) fn new(seeds: Vec<String>, default_port: u16) -> Self {
        Self { seeds, default_port }
    }
}

impl Finder for Seeds {
    fn run(self: Box<Self>, findings: mpsc::Sender<Finding>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let mut asking = JoinSet::new();
            for (number, seed) in self.seeds.into_iter().enumerate() {
                let teller = Teller::new(Source::Seed, findings.clone());
                if number < SEEDS_MAX {
                    // A task each: a name server that does not answer holds up nobody else's seed.
                    asking.spawn(ask(seed, self.default_port, teller));
                } else {
                    asking.spawn(refuse(seed, teller));
                }
            }
            while asking.join_next().await.is_some() {}
        })
    }
}

async fn ask(seed: String, default_port: u16, mut teller: Teller) -> Result<(), NobodyListens> {
    loop {
        let outcome = match resolve(&seed, default_port).await {
            Ok(addresses) => {
                let shown: Vec<_> = addresses.iter().map(ToString::to_string).collect();
                let addresses = addresses.into_iter().map(TransportAddr::Tcp).collect();
                teller.suggest(None, addresses).await?;
                Outcome::Worked(shown.join(", "))
            }
            Err(why) => Outcome::Failed(why),
        };
        teller.judge(BTreeMap::from([(seed.clone(), outcome)])).await?;
        tokio::select! {
            () = tokio::time::sleep(RESOLVE_PERIOD) => {}
            () = teller.findings.closed() => return Err(NobodyListens),
        }
    }
}

async fn refuse(seed: String, mut teller: Teller) -> Result<(), NobodyListens> {
    let outcome = Outcome::Failed(format!("not asked: at most {SEEDS_MAX} seeds"));
    teller.judge(BTreeMap::from([(seed, outcome)])).await
}

/// The addresses of a seed, at most [`ADDRESSES_MAX`].
///
/// # Errors
/// It has no such form, or its name no address.
pub(crate) async fn resolve(seed: &str, default_port: u16) -> Result<Vec<SocketAddr>, String> {
    let (host, port) = split(seed, default_port)?;
    let found = tokio::net::lookup_host((host, port)).await.map_err(|error| error.to_string())?;
    let mut addresses: Vec<_> = found.collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses.truncate(ADDRESSES_MAX);
    if addresses.is_empty() {
        return Err("has no address".to_owned());
    }
    Ok(addresses)
}

/// Host and port of a seed.
///
/// # Errors
/// It has no such form; what would be right.
pub(crate) fn split(seed: &str, default_port: u16) -> Result<(&str, u16), String> {
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
mod tests {
    use super::*;
    use crate::discovery::{Suggestion, Verdict};

    #[test]
    fn seeds_are_hosts_with_or_without_a_port() {
        for (seed, expect) in [
            ("a.example:1", Ok(("a.example", 1))),
            ("a.example", Ok(("a.example", 99))),
            ("10.0.0.1", Ok(("10.0.0.1", 99))),
            ("10.0.0.1:65535", Ok(("10.0.0.1", 65535))),
            ("::1", Ok(("::1", 99))),
            ("[::1]", Ok(("::1", 99))),
            ("[::1]:8", Ok(("::1", 8))),
        ] {
            assert_eq!(split(seed, 99), expect, "{seed}");
        }
        for seed in ["", ":1", "a:", "a:0", "a:65536", "a:b", "[]:1"] {
            assert!(split(seed, 99).is_err(), "{seed}");
        }
    }

    #[tokio::test]
    async fn a_good_seed_is_suggested_and_a_bad_one_is_a_verdict() {
        let (findings, mut found) = mpsc::channel(64);
        let given = ["127.0.0.1:7001", "127.0.0.1:x"].map(str::to_owned).to_vec();
        let running = tokio::spawn(Box::new(Seeds::new(given, 1)).run(findings));
        let mut seen = Vec::new();
        while seen.len() < 3 {
            seen.extend(found.recv().await);
        }
        let address = "127.0.0.1:7001";
        assert!(seen.contains(&Finding::Suggestion(Suggestion {
            source: Source::Seed,
            node: None,
            addresses: vec![TransportAddr::Tcp(address.parse().unwrap())],
        })));
        let verdict = |tried: &str, outcome| {
            Finding::Verdict(Verdict { source: Source::Seed, tried: tried.to_owned(), outcome })
        };
        assert!(seen.contains(&verdict(address, Outcome::Worked(address.to_owned()))));
        let why = "is not host:port with a port from 1 to 65535".to_owned();
        assert!(seen.contains(&verdict("127.0.0.1:x", Outcome::Failed(why))));
        drop(found);
        running.await.unwrap();
    }
}
