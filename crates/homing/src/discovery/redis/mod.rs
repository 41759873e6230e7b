//! Who else is in this Redis? Each node keeps an entry there that ends by itself, and reads some of the others.
//!
//! The nodes of a mesh are one sorted set, `homing:MESH:nodes`. A member is a node's [`Entry`], its score the time at which
//! it ends, by the clock of Redis alone: clocks of different machines never matter. Every 10 s a node sends six commands,
//! 36 a minute:
//!
//! | command | what for |
//! |---|---|
//! | `TIME` | now |
//! | `ZREMRANGEBYSCORE` (2) | takes away what has ended, and what claims to last longer than anything may |
//! | `ZADD` | its own entry, for another 30 s |
//! | `EXPIRE` | the set ends with its last node |
//! | `ZRANDMEMBER` | [`REDIS_SAMPLE`] entries, whichever |
//!
//! Because no more than a sample is read, all nodes together cost as much as there are nodes, and not the square of that.
//! A sample is enough, for whoever is found knows all others; and because a node writes before it reads, of two that start
//! at once one finds the other. A visitor only reads: two commands each time. A node that closes takes its entry away.
//!
//! Entries are anybody's: they are bounded, and checked as if an enemy had written them, and then they only suggest where
//! to dial. When Redis is away the node goes on without, and asks again.

mod bounded;
mod entry;
mod session;
#[cfg(test)]
mod tests;

use self::entry::Entry;
use self::session::Session;
use super::{About, Finding, NobodyListens, Outcome, RedisUrl, Source, Teller};
use crate::security::random;
use homing_core::addr::TransportAddr;
use homing_core::id::NodeId;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How often, and how long.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Between two rounds.
    period: Duration,
    /// After the last round an entry ends.
    life: Duration,
    /// The first pause after a failure, and the longest; each is about twice as long as the one before.
    back_off: (Duration, Duration),
}

const PACE: Pace = Pace {
    period: Duration::from_secs(10),
    life: Duration::from_secs(30),
    back_off: (Duration::from_millis(500), Duration::from_secs(10)),
};

/// How long a node that closes tries to take its entry away. It would end anyway.
const FAREWELL_TIME: Duration = Duration::from_millis(500);

/// What a node does in a Redis.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    /// Is found, and finds.
    Member,
    /// Only finds.
    Visitor,
}

/// Looks in a Redis.
pub(crate) struct Redis {
    url: RedisUrl,
    about: About,
    part: Part,
    pace: Pace,
}

impl Redis {
    pub(crate) fn new(url: RedisUrl, about: About, part: Part) -> Self {
        Self { url, about, part, pace: PACE }
    }

    /// Looks until the node closes, and then takes its entry away.
    pub(crate) async fn run(mut self, findings: mpsc::Sender<Finding>, closing: CancellationToken) {
        let mut teller = Teller::new(Source::Redis, findings);
        let mut session = None;
        tokio::select! {
            _ = self.look(&mut session, &mut teller) => {}
            () = closing.cancelled() => {}
        }
        if let Some(session) = session {
            // Whether it worked or not, the entry will end.
            let _ = timeout(FAREWELL_TIME, session.withdraw()).await;
        }
    }

    async fn look(
        &mut self,
        session: &mut Option<Session>,
        teller: &mut Teller,
    ) -> Result<(), NobodyListens> {
        let mut back_off = self.pace.back_off.0;
        let mut addresses = self.about.addresses.clone();
        loop {
            addresses.mark_unchanged();
            let pause = match self.round(session).await {
                Ok(round) => {
                    back_off = self.pace.back_off.0;
                    self.tell(teller, Outcome::Worked(round.to_string())).await?;
                    for (node, addresses) in round.found {
                        teller.suggest(Some(node), addresses).await?;
                    }
                    self.pace.period
                }
                Err(why) => {
                    *session = None;
                    let pause = jittered(back_off);
                    back_off = (back_off * 2).min(self.pace.back_off.1);
                    self.tell(teller, Outcome::Failed(format!("{why}; asked again"))).await?;
                    pause
                }
            };
            let moved = async {
                if addresses.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = moved => {}
                () = teller.findings.closed() => return Err(NobodyListens),
            }
        }
    }

    /// Says where this node is, and asks where others are; connects first where there is no connection.
    async fn round(&self, session: &mut Option<Session>) -> Result<Round, String> {
        if session.is_none() {
            *session = Some(Session::open(&self.url, &self.about.mesh).await?);
        }
        let session = session.as_mut().expect("there is one now");
        let scope = session.scope();
        let own = match self.part {
            Part::Member => Entry::of(self.about.node, &self.about.addresses.borrow(), scope),
            Part::Visitor => None,
        };
        let texts = session.exchange(own.as_ref(), self.pace.life).await?;
        let mut round = Round { part: self.part, wrote: own, found: Vec::new(), bad: None };
        for text in &texts {
            match Entry::read(text, scope) {
                Ok(entry) if entry.node == self.about.node => {}
                Ok(entry) => round.found.push((entry.node, entry.addresses)),
                Err(why) => round.bad = Some(why),
            }
        }
        Ok(round)
    }

    async fn tell(&self, teller: &mut Teller, outcome: Outcome) -> Result<(), NobodyListens> {
        teller.judge(BTreeMap::from([(self.url.to_string(), outcome)])).await
    }
}

/// What one round came to.
struct Round {
    part: Part,
    wrote: Option<Entry>,
    found: Vec<(NodeId, Vec<TransportAddr>)>,
    /// Why an entry was not heeded, if one was not.
    bad: Option<&'static str>,
}

impl std::fmt::Display for Round {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.wrote, self.part) {
            (Some(entry), _) => {
                let shown: Vec<_> = entry.addresses.iter().map(ToString::to_string).collect();
                write!(f, "wrote {}; ", shown.join(", "))?;
            }
            (None, Part::Member) => {
                f.write_str("wrote nothing, for this node has no address beyond its host; ")?;
            }
            (None, Part::Visitor) => {}
        }
        match self.found.len() {
            0 => f.write_str("nobody else is there")?,
            1 => f.write_str("found another node")?,
            more => write!(f, "found {more} other nodes")?,
        }
        self.bad.map_or(Ok(()), |why| write!(f, "; not heeded: an entry that {why}"))
    }
}

/// Up to a quarter more, so that nodes that lost one Redis do not come back as one.
fn jittered(pause: Duration) -> Duration {
    let [chance] = random::<1>();
    pause + pause * u32::from(chance) / 1_024
}
