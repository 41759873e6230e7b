//! How does a program bring a way of its own to find peers? As a [`PeerSource`], of which a node takes several.

use super::{About, Finder, Finding, Outcome, Source, Suggestion, Verdict};
use crate::net::BoxFuture;
use homing_core::addr::TransportAddr;
use homing_core::id::NodeId;
use homing_core::limits::{ADDRESSES_MAX, PLACES_MAX, VERDICT_TEXT_MAX};
use homing_core::name::MeshName;
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Somewhere to look for peers: an inventory, a cloud's interface, whatever a program knows and homing does not.
///
/// A source knows nothing of the mesh. It suggests addresses, which costs nothing where they are known or wrong, and
/// tells verdicts, from which a person can see why nobody was found. Nodes prove themselves when they are dialled, so a
/// source need not be trusted.
///
/// All sources of a node look at once, and none waits for another. One that panics or ends is told of in a verdict, and
/// the node goes on without it; it is not begun again.
///
/// ```
/// use homing::discovery::{PeerSource, Search};
/// use homing::{Config, TransportAddr};
/// use std::net::SocketAddr;
/// use std::time::Duration;
///
/// /// Machines that somebody wrote down.
/// struct Inventory(Vec<SocketAddr>);
///
/// impl PeerSource for Inventory {
///     fn name(&self) -> &str {
///         "inventory"
///     }
///
///     async fn run(&self, mut search: Search) {
///         loop {
///             for machine in &self.0 {
///                 search.suggest(vec![TransportAddr::Tcp(*machine)]).await;
///             }
///             search.worked("the list", format!("{} machines", self.0.len())).await;
///             tokio::time::sleep(Duration::from_secs(15)).await;
///         }
///     }
/// }
///
/// let config = Config::default().source(Inventory(vec!["10.0.0.7:7000".parse()?]));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
pub trait PeerSource: Send + Sync + 'static {
    /// What people call it. It stands before the places in verdicts, as in `inventory: the list`.
    fn name(&self) -> &str;

    /// Looks for as long as the node lives, which drops the future when it closes.
    ///
    /// What it finds again it should suggest again, every few seconds: a peer that could not be dialled the first time
    /// gets its second chance so. It must not block its thread, as nothing in a future may.
    fn run(&self, search: Search) -> impl Future<Output = ()> + Send;
}

/// What a [`PeerSource`] has in hand while it looks: whom it looks for, and where to say what it found.
///
/// Its methods wait while the node has not yet heard what was found before; once the node is closed they wait for ever.
#[derive(Debug)]
pub struct Search {
    name: String,
    about: About,
    findings: mpsc::Sender<Finding>,
    told: BTreeMap<String, Outcome>,
}

impl Search {
    /// The mesh whose nodes are of use.
    pub fn mesh(&self) -> &MeshName {
        &self.about.mesh
    }

    /// The node that looks. A suggestion of itself is not heeded.
    pub fn node(&self) -> NodeId {
        self.about.node
    }

    /// Where the node listens now, for sources in which nodes also make themselves known.
    pub fn addresses(&self) -> Vec<TransportAddr> {
        self.about.addresses.borrow().clone()
    }

    /// Somebody may be at these addresses, each of them somebody else for all that is known. They are tried while there
    /// is room for further suggestions.
    pub async fn suggest(&self, addresses: Vec<TransportAddr>) {
        for some in addresses.chunks(ADDRESSES_MAX) {
            self.say_suggestion(None, some.to_vec()).await;
        }
    }

    /// This node may be at these addresses. Further ones than [`ADDRESSES_MAX`] are not heeded, and whoever else is
    /// there is not linked.
    pub async fn suggest_node(&self, node: NodeId, mut addresses: Vec<TransportAddr>) {
        addresses.truncate(ADDRESSES_MAX);
        if !addresses.is_empty() {
            self.say_suggestion(Some(node), addresses).await;
        }
    }

    /// A place could be asked; what was there, for people. Said again it is told only if it differs.
    pub async fn worked(&mut self, place: &str, found: impl Into<String>) {
        self.judge(place, Outcome::Worked(shortened(found.into()))).await;
    }

    /// A place could not be asked; why, for people. Said again it is told only if it differs.
    pub async fn failed(&mut self, place: &str, why: impl Into<String>) {
        self.judge(place, Outcome::Failed(shortened(why.into()))).await;
    }

    async fn say_suggestion(&self, node: Option<NodeId>, addresses: Vec<TransportAddr>) {
        self.say(Finding::Suggestion(Suggestion { source: Source::Custom, node, addresses })).await;
    }

    async fn judge(&mut self, place: &str, outcome: Outcome) {
        let tried = shortened(format!("{}: {place}", self.name));
        if self.told.get(&tried) == Some(&outcome) {
            return;
        }
        if self.told.len() >= PLACES_MAX {
            self.told.clear();
        }
        self.told.insert(tried.clone(), outcome.clone());
        self.say(Finding::Verdict(Verdict { source: Source::Custom, tried, outcome })).await;
    }

    async fn say(&self, finding: Finding) {
        if self.findings.send(finding).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// A source of the program's, whatever its type.
#[derive(Clone)]
pub(crate) struct OwnSource(Arc<dyn AnySource>);

impl OwnSource {
    pub(crate) fn new(source: impl PeerSource) -> Self {
        Self(Arc::new(source))
    }

    /// The same, with what it is to know.
    pub(crate) fn about(self, about: About) -> OwnFinder {
        OwnFinder { source: self, about }
    }
}

impl fmt::Debug for OwnSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

/// Runs a source of the program's, and says how it ended.
pub(crate) struct OwnFinder {
    source: OwnSource,
    about: About,
}

impl Finder for OwnFinder {
    fn run(self: Box<Self>, findings: mpsc::Sender<Finding>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let (source, told) = (self.source.0, BTreeMap::new());
            let named = catch_unwind(AssertUnwindSafe(|| source.name().to_owned()));
            let name = shortened(named.unwrap_or_else(|_| "a source without a name".to_owned()));
            let search = Search { name: name.clone(), about: self.about, findings, told };
            let findings = search.findings.clone();
            // A task of its own, so that its panic is its own; the set ends it when this future is dropped.
            let mut running = JoinSet::new();
            running.spawn(source.run(search));
            let why = match running.join_next().await {
                Some(Err(error)) if error.is_panic() => panic_text(&*error.into_panic()),
                _ => "it ended: nothing more is looked for there".to_owned(),
            };
            let outcome = Outcome::Failed(why);
            let verdict = Verdict { source: Source::Custom, tried: name, outcome };
            // Where nobody listens any more, the node is closing.
            let _ = findings.send(Finding::Verdict(verdict)).await;
        })
    }
}

/// [`PeerSource`] behind a pointer.
trait AnySource: Send + Sync {
    fn name(&self) -> &str;
    fn run(self: Arc<Self>, search: Search) -> BoxFuture<'static, ()>;
}

impl<S: PeerSource> AnySource for S {
    fn name(&self) -> &str {
        PeerSource::name(self)
    }

    fn run(self: Arc<Self>, search: Search) -> BoxFuture<'static, ()> {
        Box::pin(async move { PeerSource::run(&*self, search).await })
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().copied();
    let words = words.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let why = words.unwrap_or("without words");
    shortened(format!("it panicked: {why}; nothing more is looked for there"))
}

fn shortened(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(VERDICT_TEXT_MAX));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::watch;

    /// Does what its script says, line by line.
    struct Scripted(&'static str);

    impl PeerSource for Scripted {
        fn name(&self) -> &'static str {
            "script"
        }

        async fn run(&self, mut search: Search) {
            for line in self.0.lines() {
                match line.split_once(' ') {
                    Some(("suggest", at)) => {
                        let at = at.split(' ').map(|at| TransportAddr::Tcp(at.parse().unwrap()));
                        let at: Vec<_> = at.collect();
                        search.suggest(at).await;
                    }
                    Some(("worked", what)) => search.worked("a place", what).await,
                    Some(("failed", why)) => search.failed("a place", why).await,
                    Some(("panic", why)) => panic!("{why}"),
                    _ => panic!("{line} is no line of a script"),
                }
            }
        }
    }

    /// Runs a script, and reports what was found.
    async fn check(script: &'static str, expect: &[&str]) {
        let (findings, mut found) = mpsc::channel(64);
        let finder = OwnSource::new(Scripted(script)).about(about());
        Box::new(finder).run(findings).await;
        let mut seen = Vec::new();
        while let Some(finding) = found.recv().await {
            seen.push(match finding {
                Finding::Suggestion(found) => {
                    format!("{} {:?}", found.source, found.addresses.len())
                }
                Finding::Verdict(verdict) => format!("{}: {:?}", verdict.tried, verdict.outcome),
            });
        }
        assert_eq!(seen, expect);
    }

    fn about() -> About {
        let mesh = "m".parse().unwrap();
        About { mesh, node: NodeId::from_bytes([1; 16]), addresses: watch::channel(Vec::new()).1 }
    }

    const ENDED: &str = "script: Failed(\"it ended: nothing more is looked for there\")";

    #[tokio::test]
    async fn what_a_source_says_is_heard_in_order_and_a_verdict_once() {
        check(
            "worked one\nsuggest 10.0.0.1:1\nworked one\nfailed two",
            &[
                "script: a place: Worked(\"one\")",
                "custom 1",
                "script: a place: Failed(\"two\")",
                ENDED,
            ],
        )
        .await;
    }

    #[tokio::test]
    async fn many_addresses_are_several_suggestions() {
        const MANY: &str = "suggest 10.0.0.1:1 10.0.0.1:2 10.0.0.1:3 10.0.0.1:4 10.0.0.1:5 10.0.0.1:6 10.0.0.1:7 10.0.0.1:8 10.0.0.1:9";
        check(MANY, &["custom 8", "custom 1", ENDED]).await;
    }

    /// Knows not even its name.
    struct Nameless;

    impl PeerSource for Nameless {
        fn name(&self) -> &'static str {
            panic!("no name")
        }

        async fn run(&self, _: Search) {}
    }

    #[tokio::test]
    async fn a_source_that_panics_over_its_name_is_a_verdict_too() {
        let (findings, mut found) = mpsc::channel(1);
        Box::new(OwnSource::new(Nameless).about(about())).run(findings).await;
        let Some(Finding::Verdict(verdict)) = found.recv().await else { panic!("no verdict") };
        assert_eq!(verdict.tried, "a source without a name");
        assert!(verdict.outcome.is_failure());
    }

    #[tokio::test]
    async fn a_source_that_panics_is_a_verdict() {
        let panicked =
            "script: Failed(\"it panicked: at the disco; nothing more is looked for there\")";
        check("suggest 10.0.0.1:1\npanic at the disco", &["custom 1", panicked]).await;
    }
}
