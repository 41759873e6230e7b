//! How does a program call?

use crate::calling::Calling;
use crate::encoding::{from_payload, to_payload};
use crate::error::CallError;
use crate::info::Instance;
use crate::runtime::Runtime;
use crate::runtime::calls::streams::{Asking, Reading};
use crate::runtime::calls::{
    Aim, Answered, Badge, Desk, Journey, Made, Plan as CallPlan, Surveyed, Terms, Unanswered,
    Wanted, nowhere, refused,
};
use crate::runtime::inherited;
use crate::scatter::{CallAll, Outcomes};
use crate::security::random;
use crate::slots::{HeldSlot, RequesterEvents};
use crate::streams::{Opening, Plan, Replies};
use crate::why::{Asker, Explanation};
use bytes::Bytes;
use homing_core::balance::{Affinity, Balancer};
use homing_core::id::NodeId;
use homing_core::limits::DEADLINE_MAX;
use homing_core::link::Asks;
use homing_core::name::{Address, BadName, Label, Namespace};
use homing_core::registry::RecordKey;
use homing_core::requester::{Hedge, Here, Kind, Locality, Only, Policy, Wait, Weight};
use homing_core::rng::Rng;
use homing_core::slots::{Interval as RovingInterval, Keep, KeepRule, Slot};
use homing_core::talk::{Encoding, Options, Payload, Status};
use homing_core::time::Time;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio_util::sync::DropGuard;

/// Calls services, by the settings it was built with. A cheap handle.
///
/// Its calls share one balancer, one retry budget and one waiting line.
#[derive(Clone)]
pub struct Requester {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) desk: Arc<Desk>,
    pub(crate) runtime: Arc<Runtime>,
    manner: Manner,
    _follower: DropGuard,
}

impl Shared {
    /// Puts in who calls, beside its node: the foreign system behind it, if any, and the node's token.
    pub(crate) fn show(&self, options: &mut Option<Box<Options>>) {
        self.desk.badge.show(&self.runtime, options);
    }
}

impl Shared {
    /// Now, and when a call that may take so long ends: no later than the one that is being answered here.
    pub(crate) fn span(&self, timeout: Duration) -> (Time, Time) {
        let now = self.runtime.clock.now();
        let own = now + timeout.min(DEADLINE_MAX);
        let inherited = inherited::deadline().map(|at| self.runtime.clock.time(at));
        (now, inherited.map_or(own, |inherited| inherited.min(own)))
    }
}

/// How calls are made when they do not say.
#[derive(Clone)]
struct Manner {
    namespace: Namespace,
    timeout: Duration,
    wait: Wait,
    repeatable: bool,
    encoding: Encoding,
}

/// Settings for a [`Requester`].
#[derive(Clone)]
pub struct RequesterBuilder {
    runtime: Arc<Runtime>,
    policy: Policy,
    manner: Manner,
    badge: Badge,
}

impl RequesterBuilder {
    pub(crate) fn new(runtime: Arc<Runtime>) -> Self {
        let manner = Manner {
            namespace: runtime.settings.namespace.clone(),
            timeout: runtime.settings.timings.call,
            wait: Wait::ForInstance,
            repeatable: false,
            encoding: Encoding::MessagePack,
        };
        Self { runtime, policy: Policy::default(), manner, badge: Badge::default() }
    }

    /// Looks services up here instead of in the node's namespace.
    pub fn namespace(mut self, namespace: Namespace) -> Self {
        self.manner.namespace = namespace;
        self
    }

    /// How long a call may take, waiting for an instance included. Default: 5 s; at most 24 days.
    ///
    /// A call that a handler makes never gets more than what is left of the call that the handler answers: deadlines
    /// shrink on their way ([`Context::remaining`](crate::Context::remaining)).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.manner.timeout = timeout;
        self
    }

    /// A call for which nobody is there fails at once, instead of waiting for somebody.
    pub fn no_wait(mut self) -> Self {
        self.manner.wait = Wait::Never;
        self
    }

    /// How instances are chosen. Default: [`Balancer::PowerOfTwo`].
    pub fn balancer(mut self, balancer: Balancer) -> Self {
        self.policy.balancer = balancer;
        self
    }

    /// Everything about how instances are chosen and what is done about those that fail, at once: it replaces what was set
    /// before.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Only instances with this label are called; with several labels, only those that have all.
    pub fn subset(mut self, label: Label) -> Self {
        self.policy.subset.push(label);
        self
    }

    /// Spreads calls over versions ([`Policy::weights`]); once for each range.
    ///
    /// ```
    /// # fn example(node: &homing::Node) -> Result<(), homing::BadWeight> {
    /// let canary = node.requester().weight("^1=9".parse()?).weight("^2=1".parse()?).build();
    /// # Ok(())
    /// # }
    /// ```
    pub fn weight(mut self, weight: Weight) -> Self {
        self.policy.weights.push(weight);
        self
    }

    /// How many slots are held for each address that is called, with [`Balancer::Slots`]; so this requester has links to at
    /// most as many instances for it. Default: 100; at most [`SLOTS_HELD_MAX`](crate::limits::SLOTS_HELD_MAX).
    pub fn max_slots(mut self, slots: usize) -> Self {
        self.policy.slots.max_slots = slots;
        self
    }

    /// How often instances are asked for lower slots, with [`Balancer::Slots`]: around this time (more often while that
    /// helps, less often while it does not), or at a [`Fixed`](RovingInterval::Fixed) one. Default: around a second.
    pub fn roving_interval(mut self, interval: impl Into<RovingInterval>) -> Self {
        self.policy.slots.roving_interval = interval.into();
        self
    }

    /// Which slots are kept, with [`Balancer::Slots`]: a function of what is held (the lowest first), what is offered, and
    /// how many may be held. It must be quick: the requester waits for it. Default: [`keep_lowest`](crate::keep_lowest).
    pub fn keep<F>(mut self, rule: F) -> Self
    where
        F: Fn(&[Slot], Slot, usize) -> Keep + Send + Sync + 'static,
    {
        self.policy.slots.keep = KeepRule::By(Arc::new(rule));
        self
    }

    /// Whether a call that takes long, and may run twice, is made at a second instance too; the first answer counts.
    /// Default: [`Hedge::Never`].
    pub fn hedge(mut self, hedge: Hedge) -> Self {
        self.policy.hedge = hedge;
        self
    }

    /// Instances on the same host are called before those on the same network, and those before the rest. On the same
    /// network is whose address begins with the same 24 bits (of IPv6: 64) as one of this node's; or whose label `zone`
    /// is this one.
    pub fn near(mut self, zone: Option<&str>) -> Self {
        let here = Here {
            node: self.runtime.me.id,
            host: Some(self.runtime.host()),
            ips: self.runtime.addresses().iter().filter_map(|at| Some(at.tcp()?.ip())).collect(),
            zone: zone.map(str::to_owned),
        };
        self.policy.locality = Locality::Nearest(here);
        self
    }

    /// All calls may safely run twice: one that was lost is tried elsewhere. Adds to the word of the offer, never
    /// takes from it.
    pub fn repeatable(mut self, repeatable: bool) -> Self {
        self.manner.repeatable = repeatable;
        self
    }

    /// How typed requests are written, and so how replies come back. Default: `MessagePack`.
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.manner.encoding = encoding;
        self
    }

    /// Shows this token with every call, instead of the node's own. One that is longer than
    /// [`TOKEN_MAX`](crate::limits::TOKEN_MAX) bytes is refused by those who look at it.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.badge.token = Some(token.into().into());
        self
    }

    /// Calls on behalf of a foreign system, as the bridge of this name: the callee's access list judges the calls as
    /// `bridge:NAME` and never as this node's own; it says which node may be that bridge, by its id or by the token that
    /// is shown here too.
    pub fn bridge(mut self, name: &str) -> Self {
        self.badge.origin = Some(format!("bridge:{name}").into());
        self
    }

    /// The requester.
    pub fn build(self) -> Requester {
        let rng = Rng::from_seed(u64::from_be_bytes(random()));
        let Self { runtime, policy, manner, badge } = self;
        let (desk, follower) = Desk::start(&runtime, policy, rng, badge);
        Requester { shared: Arc::new(Shared { desk, runtime, manner, _follower: follower }) }
    }
}

impl Requester {
    /// Calls and waits for the reply.
    ///
    /// # Errors
    /// The call's, with a code and a sentence; or the request or reply does not fit the types.
    pub async fn call<Q, R>(&self, address: &str, request: &Q) -> Result<R, CallError>
    where
        Q: Serialize + ?Sized,
        R: DeserializeOwned,
    {
        self.to(address)?.call(request).await?.decode()
    }

    /// Calls every instance at once, and returns what is to come of it: an outcome for each ([`CallAll`]).
    ///
    /// # Errors
    /// There is nobody to call.
    pub async fn call_all<Q: Serialize + ?Sized>(
        &self,
        address: &str,
        request: &Q,
    ) -> Result<Outcomes, CallError> {
        self.to(address)?.call_all(request).await
    }

    /// Where calls go, looked up once: for a program that calls the same address often.
    ///
    /// # Errors
    /// The text is no address.
    pub fn to(&self, address: &str) -> Result<Callee, BadName> {
        Ok(self.to_address(&address.parse()?))
    }

    /// As [`to`](Self::to), for an address that was parsed.
    pub fn to_address(&self, address: &Address) -> Callee {
        let aim = self.shared.desk.aim(&self.shared.manner.namespace, address);
        let goal = Goal { shared: Arc::clone(&self.shared), address: address.clone(), aim };
        Callee { goal: Arc::new(goal) }
    }

    /// Where a call to this address would go, and why: see [`Call::explain`].
    ///
    /// # Errors
    /// The text is no address.
    ///
    /// ```
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// # let node = homing::Node::join(homing::Config::isolated()).await?;
    /// node.serve("price@1.4.0/quote", |(): ()| async { 7 }).await?;
    /// let requester = node.requester().build();
    /// requester.ready("price/quote").await?;
    /// let why = requester.explain("price@^2/quote")?;
    /// println!("{:?}", why.instances[0].why); // "its version is not in ^2"
    /// # Ok(())
    /// # }
    /// # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
    /// ```
    pub fn explain(&self, address: &str) -> Result<Explanation, BadName> {
        Ok(self.to(address)?.explain())
    }

    /// The slots that it holds, by address and number; none, unless it balances by them.
    pub fn slots(&self) -> Vec<HeldSlot> {
        self.shared.desk.slots()
    }

    /// What happens to its slots from now on. A listener that falls behind loses the oldest and is told how many.
    pub fn events(&self) -> RequesterEvents {
        self.shared.desk.listen()
    }

    /// Waits until there is an instance that takes calls to this address.
    ///
    /// # Errors
    /// The text is no address, or this requester has called as many as it may.
    pub async fn ready(&self, address: &str) -> Result<(), CallError> {
        let callee = self.to(address)?;
        let aim = callee.goal.aim.as_ref();
        let aim = aim.map_err(|status| CallError::new(status.clone(), None))?;
        self.shared.desk.ready(aim).await;
        Ok(())
    }
}

impl fmt::Debug for Requester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requester")
            .field("namespace", &self.shared.manner.namespace)
            .finish_non_exhaustive()
    }
}

/// An address that a requester calls. A cheap handle.
#[derive(Clone)]
pub struct Callee {
    goal: Arc<Goal>,
}

/// What the calls of a callee have in common: one hold on all of it is enough for each, and many threads take one.
struct Goal {
    shared: Arc<Shared>,
    address: Address,
    aim: Result<Arc<Aim>, Status>,
}

impl fmt::Debug for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.aim {
            Ok(aim) => write!(f, "Callee({} in {})", aim.address, aim.namespace),
            Err(status) => write!(f, "Callee({status})"),
        }
    }
}

impl Callee {
    /// A call with a typed request. Nothing happens until it is awaited.
    pub fn call<Q: Serialize + ?Sized>(&self, request: &Q) -> Call {
        self.begin(to_payload(request, self.goal.shared.manner.encoding))
    }

    /// A call with bytes. Nothing happens until it is awaited.
    pub fn call_raw(&self, payload: Payload) -> Call {
        self.begin(Ok(payload))
    }

    /// The same call to every instance at once: all of the range, the method and the subset. Nothing happens until it is
    /// awaited.
    pub fn call_all<Q: Serialize + ?Sized>(&self, request: &Q) -> CallAll {
        self.spread(to_payload(request, self.goal.shared.manner.encoding))
    }

    /// As [`call_all`](Self::call_all), with bytes.
    pub fn call_all_raw(&self, payload: Payload) -> CallAll {
        self.spread(Ok(payload))
    }

    /// A call that is answered with a stream. Nothing happens until it is polled.
    pub fn stream<Q: Serialize + ?Sized, R>(&self, request: &Q) -> Replies<R> {
        self.replies(to_payload(request, self.goal.shared.manner.encoding))
    }

    /// As [`stream`](Self::stream), with bytes.
    pub fn stream_raw<R>(&self, payload: Payload) -> Replies<R> {
        self.replies(Ok(payload))
    }

    /// A stream in both directions. Nothing happens until it is awaited; from then on it is not tried again.
    pub fn open<Q: Serialize, R>(&self) -> Opening<Q, R> {
        let plan = self.plan(Ok(Payload::default()), Asks::Nothing, None);
        Opening::new(Arc::clone(&self.goal.shared), plan, self.goal.shared.manner.encoding)
    }

    /// Where a call would go, and why: see [`Call::explain`].
    pub fn explain(&self) -> Explanation {
        self.call_raw(Payload::default()).explain()
    }

    fn spread(&self, payload: Result<Payload, Status>) -> CallAll {
        let Manner { timeout, wait, repeatable, .. } = self.goal.shared.manner;
        let terms = Terms { wait, repeatable, ..Terms::default() };
        CallAll::planned(
            Arc::clone(&self.goal.shared),
            self.goal.aim.clone(),
            payload,
            (timeout, terms),
        )
    }

    fn replies<R>(&self, payload: Result<Payload, Status>) -> Replies<R> {
        let timeout = Some(self.goal.shared.manner.timeout);
        Replies::planned(Arc::clone(&self.goal.shared), self.plan(payload, Asks::All, timeout))
    }

    fn plan(
        &self,
        payload: Result<Payload, Status>,
        asks: Asks,
        timeout: Option<Duration>,
    ) -> Plan {
        let Manner { timeout: search, wait, repeatable, .. } = self.goal.shared.manner;
        let terms = Terms { wait, repeatable, kind: Kind::Stream, ..Terms::default() };
        let reading = Reading::Whole;
        let asking = payload.map(|payload| Asking {
            payload,
            options: None,
            asks,
            idle: None,
            first: None,
            reading,
        });
        Plan { aim: self.goal.aim.clone(), asking, timeout, search, terms }
    }

    fn begin(&self, payload: Result<Payload, Status>) -> Call {
        let Manner { timeout, wait, repeatable, .. } = self.goal.shared.manner;
        let terms = Terms { wait, repeatable, ..Terms::default() };
        Call { goal: Arc::clone(&self.goal), payload, options: None, timeout, terms }
    }
}

impl fmt::Debug for Callee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.goal.fmt(f)
    }
}

/// A call to be made: await it for its [`Reply`]. Dropping the future stops the work behind it.
#[must_use = "nothing is called until it is awaited"]
#[derive(Debug)]
pub struct Call {
    goal: Arc<Goal>,
    payload: Result<Payload, Status>,
    options: Option<Box<Options>>,
    timeout: Duration,
    terms: Terms,
}

impl Call {
    /// How long this call may take. In a handler, never longer than the call that it answers.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// This call may safely run twice.
    pub fn repeatable(mut self, repeatable: bool) -> Self {
        self.terms.repeatable = repeatable;
        self
    }

    /// Only an instance of this node will do.
    pub fn instance(mut self, node: NodeId) -> Self {
        self.terms.only = Some(Only::Node(node));
        self
    }

    /// Goes to the instance where all calls with this key go, whatever the balancer ([`Balancer::Hash`]).
    pub fn key(mut self, key: impl AsRef<[u8]>) -> Self {
        self.terms.affinity = Some(Affinity::of(key.as_ref()));
        self
    }

    /// Sends a name and value along; all together at most 4 KiB.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.options.get_or_insert_default().metadata.push((name.into(), value.into()));
        self
    }

    /// Where this call would go, and why: every instance that is considered, with what excludes it or what it is compared
    /// by. Nothing is called, nobody's turn passes.
    pub fn explain(&self) -> Explanation {
        let desk = &self.goal.shared.desk;
        match &self.goal.aim {
            Ok(aim) => desk.explain(aim, self.wanted(), Asker::Caller, &Surveyed::new()),
            Err(status) => {
                let namespace = &self.goal.shared.manner.namespace;
                nowhere(desk, (namespace, &self.goal.address), status)
            }
        }
    }

    /// As [`explain`](Self::explain), after a link was made to each instance that comes into question and each was asked how
    /// busy it is, so that routes, refusals and, with [`Balancer::Slots`], slots are seen as a call would find them.
    pub async fn survey(&self) -> Explanation {
        match &self.goal.aim {
            Ok(aim) => self.goal.shared.desk.survey(aim, self.wanted()).await,
            Err(_) => self.explain(),
        }
    }

    fn wanted(&self) -> Wanted {
        Wanted { only: self.terms.only, affinity: self.terms.affinity }
    }

    /// Sets out, on the first poll.
    pub(crate) fn set_out(self, cx: &mut Context<'_>) -> (Arc<Shared>, Journey, Poll<Made>) {
        let Self { goal, payload, mut options, timeout, mut terms } = self;
        let shared = Arc::clone(&goal.shared);
        shared.show(&mut options);
        let (journey, made) = match (&goal.aim, payload) {
            (Ok(aim), Ok(payload)) => {
                let (begun, deadline) = shared.span(timeout);
                (terms.begun, terms.deadline) = (begun, Some(deadline));
                let (desk, aim) = (Arc::clone(&shared.desk), Arc::clone(aim));
                Journey::begin(desk, CallPlan { aim, payload, options, terms }, cx)
            }
            (Err(status), _) => (Journey::Over, Poll::Ready(Err(refused(status.clone())))),
            (_, Err(status)) => (Journey::Over, Poll::Ready(Err(refused(status)))),
        };
        (shared, journey, made)
    }
}

impl IntoFuture for Call {
    type Output = Result<Reply, CallError>;
    type IntoFuture = Calling;

    fn into_future(self) -> Calling {
        Calling::planned(self)
    }
}

/// The end of a call as the program sees it.
pub(crate) fn replied(
    shared: Arc<Shared>,
    made: Result<Answered, Unanswered>,
) -> Result<Reply, CallError> {
    let Answered { payload, options, node, key } =
        made.map_err(|failed| unanswered(&shared, failed))?;
    let metadata = options.map_or_else(Vec::new, |options| options.metadata);
    Ok(Reply { payload, metadata, from: (node, key), shared })
}

/// A failure as the program sees it.
pub(crate) fn unanswered(shared: &Shared, failed: Unanswered) -> CallError {
    let Unanswered { status, node } = failed;
    CallError::new(status, node.map(|(node, key)| shared.runtime.instance(node, key)))
}

/// What a call came back with.
#[derive(Clone)]
pub struct Reply {
    /// The answer.
    pub payload: Payload,
    /// What the handler sent beside it.
    pub metadata: Vec<(String, Bytes)>,
    from: (NodeId, RecordKey),
    shared: Arc<Shared>,
}

impl Reply {
    /// The node that answered.
    pub const fn node(&self) -> NodeId {
        self.from.0
    }

    /// Who answered, as it is known now.
    pub fn instance(&self) -> Instance {
        self.shared.runtime.instance(self.from.0, self.from.1)
    }

    /// The answer as a type.
    ///
    /// # Errors
    /// It does not fit.
    pub fn decode<R: DeserializeOwned>(&self) -> Result<R, CallError> {
        from_payload(&self.payload).map_err(|status| CallError::new(status, Some(self.instance())))
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { payload, metadata, .. } = self;
        let mut shown = f.debug_struct("Reply");
        shown.field("payload", payload).field("metadata", metadata).field("node", &self.node());
        shown.finish_non_exhaustive()
    }
}
