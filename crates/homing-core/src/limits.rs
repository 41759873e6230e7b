//! By what is everything bounded, and what happens at the bound?
//!
//! Nothing that a peer, a user or a network can make grow is without a line here. Settings may lower or raise some of
//! them (`Config` says which); the relations asserted at the end hold for the defaults.

use crate::gate::Rate;
use std::time::Duration;

// --- Names -----------------------------------------------------------------------------------------------------

/// Bytes of a service, mesh, namespace or node name. Longer ones are refused where they are parsed.
pub const NAME_MAX: usize = 128;
/// Bytes of a method. Longer ones are refused where they are parsed.
pub const METHOD_MAX: usize = 256;
/// Bytes of a topic or a pattern of topics. Longer ones are refused where they are parsed.
pub const TOPIC_MAX: usize = 128;
/// Bytes of a version or a range as text.
pub const RANGE_MAX: usize = 256;
/// Methods (or patterns of methods) in one offer. One more is refused.
pub const METHODS_MAX: usize = 64;
/// Labels on one offer. One more is refused.
pub const LABELS_MAX: usize = 16;
/// Bytes of the value of a label. Longer ones are refused where they are parsed.
pub const LABEL_VALUE_MAX: usize = 128;
/// Bytes of a user's metadata on one offer; more is refused.
pub const METADATA_MAX: usize = 512;

// --- Frames and conversations ----------------------------------------------------------------------------------

/// Bytes of one frame without its length field. A longer one ends the link: its sender is broken.
pub const FRAME_MAX: usize = 32 * 1024;
/// Bytes of a payload sent in one piece, outside of credit. Longer payloads go as chunks of this size, under credit.
pub const CHUNK_MAX: usize = 16 * 1024;
/// Bytes of one payload. A longer one is refused with `RESOURCE_EXHAUSTED` before anything is sent.
pub const PAYLOAD_MAX: usize = 16 * 1024 * 1024;
/// Bytes of all options of a call or reply together; more is refused with `RESOURCE_EXHAUSTED`.
pub const OPTIONS_MAX: usize = 4 * 1024;
/// Bytes of the message of a [`Status`](crate::talk::Status) on the wire; the rest is cut off.
pub const MESSAGE_MAX: usize = 1024;
/// Bytes of the details of a [`Status`](crate::talk::Status) on the wire; more is left out.
pub const DETAILS_MAX: usize = 4 * 1024;
/// Conversations that one side of a link may have open. One more is refused with `RESOURCE_EXHAUSTED`, not started.
pub const CONVERSATIONS_MAX: u32 = 4_096;
/// Bytes of chunks a sender may have in flight in one conversation; then it waits for credit.
pub const WINDOW: u32 = 256 * 1024;
/// Bytes of chunks a sender may have in flight on one link; then it waits for credit.
pub const LINK_WINDOW: u32 = 16 * 1024 * 1024;
/// Bytes that a process holds for its peers. Beyond, calls are refused with `RESOURCE_EXHAUSTED`, not started.
pub const BUDGET: usize = 256 * 1024 * 1024;
/// What an item of a stream costs of the windows beside its bytes, so that windows bound empty items too.
pub const ITEM_COST: u32 = 64;
/// Bytes of items that wait at their writer's side of a link. A writer that has said so much waits until half has left.
pub const STREAM_QUEUE: usize = 256 * 1024;
/// Methods bound to a number on one link and side. Beyond, names travel in each call.
pub const BINDINGS_MAX: u32 = 1_024;
/// Frames waiting to be written on one link. Beyond, new calls are refused with `RESOURCE_EXHAUSTED`, not started.
pub const OUTGOING_MAX: usize = 16 * 1024;
/// Frames waiting to be written on one link, answers included. A peer that has more said to it and reads nothing loses
/// the link, with `RESOURCE_EXHAUSTED`.
pub const OUTBOX_MAX: usize = 3 * OUTGOING_MAX;
/// Bytes of control messages waiting to be written on one link. Beyond, the peer does not read, and loses the link.
pub const CONTROL_WAITING_MAX: usize = 32 * 1024 * 1024;
/// Control messages of one link that wait for the node's task, and as many bytes of them as [`CONTROL_WAITING_MAX`].
/// Beyond, the peer says more than this node can take in, and loses the link.
pub const CONTROL_UNHEARD_MAX: usize = 16 * 1024;
/// Bytes of a payload that are not counted in [`BUDGET`]: [`CONVERSATIONS_MAX`] bounds so small ones well enough.
pub const UNCOUNTED_MAX: usize = 1024;
/// Bytes of bulk handed to the socket at once (decisions C10): what a small call may have to wait behind.
pub const BULK_IN_FLIGHT: usize = 64 * 1024;
/// Bytes handed to the socket in one write, bulk and small frames together.
pub const WRITE_MAX: usize = 256 * 1024;

// --- Links -----------------------------------------------------------------------------------------------------

/// Keys of one mesh that a node holds at once, while they are rotated. One more is refused where they are read.
pub const MESH_KEYS_MAX: usize = 4;
/// Bytes of a `Hello`. A longer one ends the connection before anything is believed.
pub const HELLO_MAX: usize = 4 * 1024;
/// From the first byte of a connection to the end of its handshake; then it is closed.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(5);
/// Silence on a link until its peer is asked for a sign of life.
pub const BEFORE_PING: Duration = Duration::from_millis(2_500);
/// Silence after that until the link is given up.
pub const BEFORE_CLOSE: Duration = Duration::from_millis(4_500);
/// How long the loser of two links of a pair may stay while conversations that began on it still say something; then it
/// ends, and they with it. Calls that a tie-break met are not cut for it: at most [`LINKS_PER_PAIR_MAX`] drain at once.
pub const LOSER_DRAIN_TIME: Duration = Duration::from_hours(1);
/// How long nothing may be said in the conversations of such a link, where none of them has a deadline that would end
/// it; then the link ends, and they with it.
pub const LOSER_QUIET_TIME: Duration = Duration::from_mins(1);
/// How long a node that goes waits for the last conversations on its links, once its calls are done.
pub const GOING_DRAIN_TIME: Duration = Duration::from_secs(5);
/// How long a node that stops waits for its calls (decisions D6).
pub const DRAIN_TIME: Duration = Duration::from_secs(30);
/// The first pause before a link that failed is dialled again; it doubles, jittered, up to [`REDIAL_MAX`].
pub const REDIAL_MIN: Duration = Duration::from_millis(100);
/// The longest pause between two dials of a wanted link.
pub const REDIAL_MAX: Duration = Duration::from_secs(5);
/// One dial, over all addresses of a node.
pub const DIAL_TIME: Duration = Duration::from_secs(3);
/// Between the starts of attempts at two addresses of one node (decisions D2).
pub const DIAL_STAGGER: Duration = Duration::from_millis(50);
/// An idle link that nobody keeps is closed after this.
pub const IDLE_TIME: Duration = Duration::from_mins(1);
/// Links of one process. A further connection is closed unread; a further dial waits.
pub const LINKS_MAX: usize = 4_096;
/// Links of one pair of nodes at once: the one in use and those that drain. One more ends the oldest that drains.
pub const LINKS_PER_PAIR_MAX: usize = 4;
/// Dials under way at once. Further ones wait.
pub const DIALS_MAX: usize = 64;
/// Nodes that a program keeps links to. One more is refused, to who keeps it and to who connects.
pub const KEPT_MAX: usize = LINKS_MAX;
/// Dials that a program asked for by address and that have no answer yet. One more is refused.
pub const CONNECTS_MAX: usize = 1_024;

// --- Before belief ---------------------------------------------------------------------------------------------

/// Connections that others made and whose handshake is not complete. Beyond, the source that has the most of them loses
/// its oldest, so that a newcomer from a quiet address always gets in. Well below the 1,024 descriptors that a process
/// usually has.
pub const HALF_OPEN_MAX: usize = 512;
/// Of these, from one source: an IPv4 address, an IPv6 network of 64 bits, the unix socket. Further ones are closed
/// unread. A handshake takes milliseconds: so many are enough for a thousand nodes behind one address, which dial again.
pub const HALF_OPEN_PER_SOURCE_MAX: usize = 128;
/// Connections taken in from one source that has proven itself; further ones are closed unread. For hundreds of nodes
/// behind one address, and for scripts that call in a loop.
pub const CONNECTIONS: Rate = Rate { per_second: 2_000, burst: 4_000 };
/// The same of one source that has not: to find that a proof is wrong takes a good part of a millisecond.
pub const CONNECTIONS_PER_STRANGER: Rate = Rate { per_second: 100, burst: 200 };
/// Bytes that a peer may send before its TLS handshake is complete: a chain of certificates of somebody's authority.
/// Then the connection is closed.
pub const TLS_HANDSHAKE_MAX: usize = 32 * 1024;
/// Datagrams heeded of one source that has proven itself; further ones are dropped. At rest a node hears about ten in a
/// second from the whole mesh, but all nodes of a test may be behind one address, and tell a newcomer all they know.
pub const DATAGRAMS: Rate = Rate { per_second: 10_000, burst: 20_000 };
/// Datagrams heeded of one source that has not: one is enough to prove oneself.
pub const DATAGRAMS_PER_STRANGER: Rate = Rate { per_second: 200, burst: 400 };
/// Datagrams heeded of all such sources together: to find that one is forged takes microseconds.
pub const DATAGRAMS_OF_STRANGERS: Rate = Rate { per_second: 2_000, burst: 4_000 };
/// Scouting datagrams looked at of one source; further ones are dropped. Each of many nodes behind one address calls a
/// few times when it starts.
pub const SCOUTS: Rate = Rate { per_second: 100, burst: 32 };
/// How long a source counts as proven after it was found true.
pub const KNOWN_TIME: Duration = Duration::from_mins(1);
/// Sources remembered of connections, and of datagrams of proven ones and of strangers each. The least recently heard is
/// forgotten.
pub const SOURCES_MAX: usize = NODES_MAX;
/// Datagrams of proven sources that wait for the node machine. Further ones are dropped.
pub const DATAGRAMS_WAITING_MAX: usize = 8_192;
/// The same of strangers.
pub const STRANGERS_WAITING_MAX: usize = 512;

// --- Nodes and membership --------------------------------------------------------------------------------------

/// Addresses of a node. Further ones are left out, the most general last.
pub const ADDRESSES_MAX: usize = 8;
/// Nodes known at once. Further ones are not taken in; a counter says how many.
pub const NODES_MAX: usize = 16_384;
/// Bytes of a datagram: what every network lets through unfragmented.
pub const DATAGRAM_MAX: usize = 1_200;
/// Between two probes of membership (decisions C6: measured at 1,000 nodes), at least: a timer that is noticed a moment late
/// takes the next place on [`GRID`], so that probes come every 600 ms. All that is measured of meshes is measured so.
pub const PROBE_PERIOD: Duration = Duration::from_millis(500);
/// How long a probe waits for an answer before others are asked to try.
pub const PROBE_RTT: Duration = Duration::from_millis(200);
/// How long a suspect has to refute before it is declared gone.
pub const SUSPICION: Duration = Duration::from_secs(2);
/// Between two rounds of gossip while there is news.
pub const GOSSIP_PERIOD: Duration = Duration::from_millis(200);
/// Members told in one round of gossip.
pub const GOSSIP_FANOUT: usize = 3;
/// Other members asked to try a member that did not answer a probe.
pub const INDIRECT_PROBES: usize = 3;
/// How often one change of membership is told, by one node. Of `n` nodes about `n / e^copies` hear of it from nobody, and
/// are left to their own probes. That is an estimate, not a measurement: one crash in two hundred among a hundred nodes
/// with 10 copies, three in a hundred thousand with 15. Seen was one such crash, with 10, in one seed (`docs/scale.md`).
pub const GOSSIP_COPIES: u8 = 15;
/// Changes of membership for which one round of gossip has room, about; where more wait there are further rounds at once.
pub const TOLD_AT_ONCE: usize = 16;
/// Such further rounds, at most: bounds what a storm of changes makes a node send.
pub const GOSSIP_BURST: usize = 5;
/// Members asked for a sign of life when this process stood still for long; probes find what became of the others.
pub const ROLL_MAX: usize = 256;
/// Between two requests for a part of the roster from a random member: finds what gossip missed.
pub const ROSTER_PERIOD: Duration = Duration::from_secs(10);
/// Between two attempts to speak to members held gone, two at a time: heals a cut that ended.
pub const REVIVE_PERIOD: Duration = Duration::from_secs(1);
/// How long a member that is gone is remembered, and tried.
pub const GONE_TIME: Duration = Duration::from_mins(10);
/// Timers of the control plane are put on this grid, so that an idle process wakes seldom (decisions C8).
pub const GRID: Duration = Duration::from_millis(100);
/// Bytes of a datagram of membership or registry, without header and tag.
pub const BODY_MAX: usize = 1_100;
/// How long a member that was told everything over a link is told over it who comes after that.
pub const NEWCOMER_TIME: Duration = Duration::from_secs(5);
/// Members told of in one frame of a dump of membership.
pub const DUMP_PER_FRAME: usize = 128;
/// Nodes whose scouting is heeded per source address and second (decisions B5). Further ones are dropped and counted.
pub const SCOUTS_PER_SECOND: usize = 10;
/// How far a datagram may be overtaken by later ones of the same sender (decisions B4). An older one is dropped.
pub const REPLAY_WINDOW: usize = 1_024;
/// Senders whose datagrams are told from replayed ones. At the bound the one that was silent longest is forgotten; its
/// old datagrams would then be taken once more, until it is heard again.
pub const REPLAY_SENDERS_MAX: usize = 16_384;
/// Senders that are told per second which nonce is the right one, or that a later life of theirs is known (decisions
/// A10, B5), each once in it. Others try again.
pub const ANSWERS_PER_SECOND: usize = 100;
/// A stall of this process longer than this delays its suspicions by as much (decisions C7).
pub const STALL: Duration = Duration::from_millis(200);

// --- Registry --------------------------------------------------------------------------------------------------

/// Between two signals of a node's registry that what was registered has arrived elsewhere.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
/// Heartbeats within the lifetime of a record, at least: one that is late, or lost, ends nothing.
pub const BEATS_PER_LIFETIME: u32 = 3;
/// Bytes of a record on the wire, key and signature included. A larger offer is refused.
pub const RECORD_MAX: usize = 1_024;
/// Offers of one node, and keys that it uses for them in one life: those of withdrawn offers are used again. One more is
/// refused with `RESOURCE_EXHAUSTED`.
pub const OFFERS_MAX: usize = 1_024;
/// How far beyond its present life a node believes a later one of its to be: 70 years of milliseconds. Who claims more
/// lies, and is not heeded: following would use up the numbers.
pub const EPOCH_LEAD_MAX: u64 = 1 << 41;
/// Records in the registry of a node. Beyond, new ones of others are dropped and counted.
pub const RECORDS_MAX: usize = 131_072;
/// How long the records of an owner that is gone live on, marked.
pub const LEASE: Duration = Duration::from_secs(15);
/// Bytes of what a service record says beside its fixed fields; more is refused.
pub const RECORD_DATA_MAX: usize = 512;
/// Bytes of the name of a host in a service record. Longer ones are refused where they are parsed.
pub const HOST_NAME_MAX: usize = 253;
/// How long a service record of an owner that is gone lives on when nobody said.
pub const LIFETIME_DEFAULT: Duration = LEASE;
/// The longest such time; a longer one is refused. What is to stay longer is registered to last.
pub const LIFETIME_MAX: Duration = Duration::from_hours(24);
/// Lasting records, with those that were withdrawn: they are never forgotten. Beyond, registering one more is refused with
/// `RESOURCE_EXHAUSTED`; of those of others the lowest ids stay, so that all members keep the same, and what gives way is
/// counted.
pub const LASTING_MAX: usize = 4_096;
/// How long a forgotten owner's id and epoch are remembered.
pub const HEADSTONE_TIME: Duration = Duration::from_hours(24);
/// Headstones kept; the oldest goes first.
pub const HEADSTONES_MAX: usize = 4_096;
/// Between two comparisons of digests with a random member.
pub const DIGEST_PERIOD: Duration = Duration::from_secs(2);
/// Buckets whose owners are listed in one comparison.
pub const BUCKETS_PER_EXCHANGE: usize = 32;
/// Bytes of a registry message in a datagram; what needs more is cut into several.
pub const REGISTRY_DATAGRAM_MAX: usize = 1_100;
/// Services without an instance whose names a node remembers, to tell a caller "not now" from "never"; beyond it the
/// first by name is forgotten, and calls to it fail as to one that was never seen.
pub const PAST_SERVICES_MAX: usize = 1_024;
/// Messages in answer to one. The rest waits for the next comparison.
pub const ANSWERS_MAX: usize = 16;
/// How often a member that appeared is asked for its records until it answers; then the digests have to find them.
pub const GREETINGS_MAX: u8 = 8;
/// Between two of those.
pub const GREETING_PERIOD: Duration = Duration::from_millis(250);
/// Peers that are told of changes over their links. One more gets the present state only.
pub const FOLLOWERS_MAX: usize = 4_096;
/// Services that a peer may name when it does not want all. One more and the request is malformed.
pub const FILTER_MAX: usize = 64;
/// Bytes of a token (RFC: PASETO v4.public). A longer one is refused where it is read.
pub const TOKEN_MAX: usize = 512;
/// Bytes of the name and version of a program, as `homing/0.1.0`.
pub const AGENT_MAX: usize = 64;
/// Records of its own whose way to all members a node follows at once. One more is answered at once: nobody is known to
/// hold it.
pub const SPREADS_MAX: usize = 16;
/// Members that are asked where it is enough that some hold a record.
pub const SAMPLE: usize = 3;
/// Members asked at once whether they hold a record. Further ones are asked [`GRID`] later.
pub const SPREAD_BATCH: usize = 128;
/// Confirmations that wait for the next snapshot. Further ones are not given: who asked asks again.
pub const UNSAID_MAX: usize = 4_096;
/// Until a member that does not say whether it holds a record is asked again.
pub const SPREAD_AGAIN: Duration = Duration::from_millis(500);
/// Records waiting to be gossiped. The oldest goes first: the digests find it.
pub const RUMOURS_MAX: usize = 4_096;
/// How long a record may wait to be gossiped, or go on being. Then the digests find it.
pub const RUMOUR_TIME: Duration = Duration::from_secs(5);

// --- Topics ----------------------------------------------------------------------------------------------------

/// Patterns of topics that a node asks for, and those that it declares to publish to, over all of its lanes. A record
/// with more is refused; who makes one puts a prefix and `**` in the place of several (decisions E11).
pub const SUBSCRIPTION_PATTERNS_MAX: usize = 64;
/// Lanes that a node asks for. A record with more is refused.
pub const LANES_MAX: usize = 64;
/// How long a publisher is held back for a subscriber without room when nobody said.
pub const TOPIC_WAIT: Duration = Duration::from_secs(1);
/// The longest time for which a publisher is held back; who asks for more gets this, and who tells of more is malformed.
pub const TOPIC_WAIT_MAX: Duration = Duration::from_secs(10);

// --- Calls -----------------------------------------------------------------------------------------------------

/// How long a call may take when nobody said.
pub const CALL_TIME: Duration = Duration::from_secs(5);
/// The longest deadline that can be told; longer ones are told as this: 24 days.
pub const DEADLINE_MAX: Duration = Duration::from_millis(i32::MAX as u64);
/// Calls of one requester that wait for an instance. One more fails with `RESOURCE_EXHAUSTED`, not started.
pub const WAITING_MAX: usize = 65_536;
/// Instances that a call to all asks at once, where it does not say; the others wait until one of them has answered.
pub const ASKED_AT_ONCE: usize = 64;
/// Addresses that one requester keeps ready. The driver forgets one before it adds one more.
pub const TARGETS_MAX: usize = 65_536;
/// Attempts at one call that may have run, the first included, and attempts that follow each other without a pause.
/// Attempts that never started are bounded by the call's deadline.
pub const ATTEMPTS_MAX: u8 = 8;
/// The first pause before an attempt is repeated where it failed; it doubles, jittered, up to [`RETRY_WAIT_MAX`].
pub const RETRY_WAIT_MIN: Duration = Duration::from_millis(5);
/// The longest pause before an attempt is repeated, whatever a refusal asks for.
pub const RETRY_WAIT_MAX: Duration = Duration::from_secs(1);
/// How long an instance is passed over, while there are others, after its link broke under a call.
pub const BROKEN_REST: Duration = Duration::from_millis(100);
/// How long an instance is passed over, while there are others, after its node could not be reached or it drains.
pub const UNREACHABLE_REST: Duration = Duration::from_secs(1);
/// Seconds over which the retry budget counts.
pub const RETRY_WINDOW: usize = 10;
/// Retries per hundred calls (decisions: retry budget), beyond [`RETRIES_PER_SECOND`].
pub const RETRY_PERCENT: u32 = 20;
/// Retries that are always allowed per second, on average over [`RETRY_WINDOW`].
pub const RETRIES_PER_SECOND: u32 = 10;
/// Calls to an address from whose durations is known which are long, where calls are hedged.
pub const RECENT_MAX: usize = 128;
/// Failures in a row after which an instance is set aside.
pub const FAILURES_IN_A_ROW: u32 = 5;
/// How many times as long as its peers an instance takes that is set aside.
pub const LAG_FACTOR: u32 = 5;
/// And by how much longer: what is less than this behind is left to the balancer.
pub const LAG_LEAST: Duration = Duration::from_millis(5);
/// Answers of an instance before its average means anything; it is over about as many.
pub const LAG_SAMPLES: u32 = 32;
/// Between two comparisons of the instances of one target with each other.
pub const LAG_PERIOD: Duration = Duration::from_secs(1);
/// How long an instance is set aside the first time. It doubles, up to [`EJECTION_LONGEST`].
pub const EJECTION_FIRST: Duration = Duration::from_secs(1);
/// The longest time for which an instance is set aside.
pub const EJECTION_LONGEST: Duration = Duration::from_mins(1);
/// What a failed attempt counts for at least as a latency, so that an instance that fails at once does not draw the calls
/// of all.
pub const FAILURE_LATENCY: Duration = Duration::from_secs(1);
/// Slots that a requester holds when nobody said (decisions E10).
pub const SLOTS_HELD: usize = 100;
/// Slots that a requester may hold.
pub const SLOTS_HELD_MAX: usize = 4_096;
/// Slots of one instance that are held. One more requester that asks is told that there is none.
pub const SLOTS_MAX: usize = 65_536;
/// Slots of one instance that are held over one link: likewise. So one node cannot take all.
pub const SLOTS_PER_LINK_MAX: usize = 8_192;
/// A lease of a slot ends so long after its last use or renewal, while no call on it is in flight.
pub const SLOT_LEASE: Duration = Duration::from_secs(10);
/// Who was asked for a slot and does not answer for so long is not waited for.
pub const SLOT_ANSWER_TIME: Duration = Duration::from_secs(5);
/// And for so long while the requester holds none, and its calls wait: then another instance is asked.
pub const SLOT_PATIENCE: Duration = Duration::from_secs(1);
/// Instances that a requester asks in vain for a lower slot, one after the other, until it takes more time: all of them, and
/// of many this many.
pub const SLOT_ROUND_MAX: usize = 32;
/// Bytes of a question about slots, or of its answer. A longer one is refused unread.
pub const SLOT_LETTER_MAX: usize = 32 * 1024;
/// Events a slow listener of a requester may be behind; then the oldest are gone and it is told how many.
pub const REQUESTER_EVENTS_MAX: usize = 256;
/// Calls of one offer handled at once when nobody said.
pub const CONCURRENCY: u32 = 4_096;
/// Calls of one offer that wait for their turn when nobody said.
pub const QUEUE: u32 = 0;
/// The shortest time after which a full offer asks to be tried again.
pub const REFUSAL_TIME_MIN: Duration = Duration::from_millis(1);
/// The longest time after which a full offer asks to be tried again.
pub const REFUSAL_TIME_MAX: Duration = Duration::from_secs(1);
/// Grain of the deadline wheel of a link (decisions D7).
pub const TICK: Duration = Duration::from_millis(4);

// --- Packets ---------------------------------------------------------------------------------------------------

/// Packets that wait for a kept node without a link. One more is refused, and its sender told.
pub const PACKETS_QUEUED_MAX: usize = 1_024;
/// Bytes of all packets that wait so, for all nodes. One more is refused, and its sender told.
pub const PACKETS_QUEUED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Packets that came and wait for the program to read them. Beyond, their senders wait; where the program has no reader
/// at all, further ones are dropped and counted.
pub const PACKETS_UNREAD_MAX: usize = 1_024;
/// Bytes of all packets that wait so, the first one aside. The same happens beyond.
pub const PACKETS_UNREAD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A stream of packets in which nothing was sent for so long ends, so that it holds no idle link open. The next packet
/// begins another.
pub const PACKETS_REST: Duration = Duration::from_secs(10);

// --- Topics ----------------------------------------------------------------------------------------------------

/// Bytes of the payload of a message that is published. A longer one is refused with `RESOURCE_EXHAUSTED`.
pub const PUBLISHED_MAX: usize = PAYLOAD_MAX - 8 * 1024;
/// Bytes of messages that wait at a publisher for one lane, or one message. Beyond, it is as the lane says: the publisher
/// waits, or a message goes.
pub const OUTLET_MAX: usize = 128 * 1024;
/// Subscriptions of one node. One more is refused with `RESOURCE_EXHAUSTED`.
pub const SUBSCRIPTIONS_MAX: usize = 1_024;
/// Messages that wait for the program of a subscription when nobody said.
pub const SUBSCRIPTION_CAPACITY: usize = 1_024;
/// The most messages that may wait for one. A larger capacity counts as this.
pub const SUBSCRIPTION_CAPACITY_MAX: usize = 1 << 20;
/// Bytes of messages that wait for the program of one subscription, or one message, whatever its capacity. Beyond, it is
/// as the subscription says.
pub const SUBSCRIPTION_BYTES: usize = 4 * 1024 * 1024;
/// Lanes of a node that are gone and in which messages may still be on their way. What comes in an older one is dropped.
pub const LANES_RETIRED_MAX: usize = 256;
/// Streams of messages that one peer has open here: one for each lane, and those that end. One more is refused with
/// `RESOURCE_EXHAUSTED`.
pub const INLETS_PER_NODE_MAX: usize = LANES_MAX + LANES_RETIRED_MAX;
/// Topics of which a node remembers who listens to them, for each lane in which messages come. Beyond, it looks again.
pub const INLET_ROUTES_MAX: usize = 1_024;
/// Between two reports to a publisher of what a lane has taken and dropped.
pub const REPORT_PERIOD: Duration = Duration::from_secs(1);
/// The same in a queue group, where the publisher chooses by it.
pub const REPORT_PERIOD_SHARED: Duration = Duration::from_millis(10);
/// How long publishing waits for a link to a node that listens, the first time; then messages wait for it, as its lane
/// says.
pub const PUBLISH_LINK_WAIT: Duration = Duration::from_secs(1);
/// How long a subscription waits, where that is asked for, until all members know of it (decisions E11).
pub const READY_WAIT: Duration = Duration::from_secs(2);
/// How long a node that closes waits for what it published to be taken in.
pub const PUBLISH_LAST_WAIT: Duration = Duration::from_secs(1);

// --- Discovery -------------------------------------------------------------------------------------------------

/// Entries read from a rendezvous directory (decisions B3). Further ones are not seen.
pub const RENDEZVOUS_MAX: usize = 1_024;
/// Suggestions of where a node may be, kept to be tried. Further ones are not heeded until some were.
pub const SUGGESTIONS_MAX: usize = 1_024;
/// Dials to nodes that were only suggested, under way at once.
pub const JOINS_MAX: usize = 3;
/// Failed dials until a suggestion is dropped. Seeds stay.
pub const SUGGESTION_TRIES: u32 = 5;
/// When a seed that led to a member is looked at again, and the pause between scouts once a member is known.
pub const SCOUT_SLOW: Duration = Duration::from_secs(30);
/// The pause between scouts while no member is known.
pub const SCOUT_FAST: Duration = Duration::from_secs(5);
/// The first scouts after the start: then somebody is most likely starting too, and one that got lost must not cost a
/// caller who has [`CALL_TIME`] its answer.
pub const SCOUT_START: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_millis(3_500),
];
/// Between two calls of a member when others ask for it. All that called meanwhile hear the next one.
pub const SCOUT_ANSWER_PAUSE: Duration = Duration::from_millis(200);
/// Between a call of a member and the next one that it makes because anybody asked, of whatever mesh: who asks without
/// end makes no node call more often than this.
pub const CENSUS_PAUSE: Duration = Duration::from_secs(1);
/// For each member that heard a scout: how long the one that answers it may wait, so that not all do.
pub const SCOUT_SPREAD: Duration = Duration::from_millis(20);
/// The longest wait of that kind.
pub const SCOUT_SPREAD_MAX: Duration = Duration::from_secs(2);
/// A node to whom nobody was suggested, or nobody suggested answers, holds itself alone after this.
pub const ALONE_TIME: Duration = Duration::from_secs(1);
/// Between two snapshots while much changes; the first change is shown at once.
pub const SNAPSHOT_PERIOD: Duration = Duration::from_millis(10);
/// How long a node goes on gossiping its goodbye.
pub const LEAVE_TIME: Duration = Duration::from_millis(200);
/// Members told of a goodbye directly; gossip tells the others.
pub const GOODBYES_MAX: usize = 16;
/// Bytes of one entry of a rendezvous directory. A longer one is not an entry.
pub const RENDEZVOUS_ENTRY_MAX: usize = 4 * 1024;
/// Seeds of one node. Further ones are not asked; a verdict says so.
pub const SEEDS_MAX: usize = 64;
/// Addresses of one seed that are heeded. Further ones are left out: one peer found knows the others.
pub const SEED_ADDRESSES_MAX: usize = 64;
/// Targets of one service record of the DNS that are asked for their addresses. The less preferred ones are left out.
pub const SRV_TARGETS_MAX: usize = 16;
/// Sources that a program brings to one node. More are refused when it joins.
pub const OWN_SOURCES_MAX: usize = 16;
/// Places of which a program's own source is remembered to have told. Beyond, it is forgotten, and told again.
pub const PLACES_MAX: usize = 64;
/// Bytes of a text in a verdict of a program's own source. Longer ones are cut.
pub const VERDICT_TEXT_MAX: usize = 512;
/// Entries read from Redis at a time, of as many as there are: so that what is read grows with the nodes, and not with
/// their square.
pub const REDIS_SAMPLE: usize = 16;
/// Bytes of one node's entry in Redis. A longer one is not heeded.
pub const REDIS_ENTRY_MAX: usize = 640;
/// Bytes of what Redis answers to one question. Beyond, the connection is given up.
pub const REDIS_ANSWER_MAX: usize = 64 * 1024;
/// Interfaces on which a node scouts. Further ones stay silent; a verdict says so.
pub const SCOUTED_MAX: usize = 32;
/// Nodes, and addresses that are nobody's yet, that one diagnosis tries. Further ones are not tried.
pub const DIAGNOSED_MAX: usize = 256;
/// Nodes of all meshes that are told apart of those heard in one survey, and places where they were heard. Further ones
/// are not told of.
pub const AUDIBLE_MAX: usize = 1_024;
/// Meshes of one user on one host whose rendezvous directories are read by who wants to know of all. Those of further
/// ones are not.
pub const RENDEZVOUS_MESHES_MAX: usize = 64;
/// Verdicts of discovery that a node keeps, one for each place. Those about further places are not kept.
pub const VERDICTS_MAX: usize = 256;
/// Findings of discovery that wait for the node. Then the sources wait, and scouting datagrams are dropped.
pub const FINDINGS_MAX: usize = 64;
/// Events a slow listener of a node may be behind; then the oldest are gone and it is told how many.
pub const EVENTS_MAX: usize = 1_024;

/// Names that are suggested where a name leads to nobody. Further ones are left out.
pub const NEAR_NAMES_MAX: usize = 5;
/// Instances that an explanation lists which goes to another node. Further ones are left out, and counted.
pub const EXPLAINED_MAX: usize = 256;
/// Requesters of a node that explain themselves to another. Further ones are left out.
pub const EXPLAINERS_MAX: usize = 8;

// --- Access ----------------------------------------------------------------------------------------------------

/// How long a token lives when nobody said.
pub const TOKEN_TIME: Duration = Duration::from_mins(15);
/// The longest life of a token. One that is to live longer is not made, and one that does is not believed.
pub const TOKEN_TIME_MAX: Duration = Duration::from_hours(24);
/// How far the clocks of who makes tokens and who believes them may be apart.
pub const TOKEN_LEEWAY: Duration = Duration::from_secs(30);
/// Between two looks at the file of a node's own token.
pub const TOKEN_POLL: Duration = Duration::from_secs(5);
/// Verified tokens that a node remembers. Beyond, all are forgotten, and verified again when they are shown.
pub const TOKENS_MAX: usize = 1_024;
/// Issuers of tokens that a node believes. One more is refused where it is configured.
pub const ISSUERS_MAX: usize = 16;
/// Rules of an access list. One more is refused where it is configured.
pub const RULES_MAX: usize = 1_024;
/// Decisions by an access list that a node remembers. Beyond, all are forgotten, and taken again when they are needed.
pub const DECISIONS_MAX: usize = 4_096;
/// Refusals written to the audit log per second. Further ones are counted, and the log says how many.
pub const AUDIT_LINES_PER_SECOND: u32 = 100;
/// Refusals that wait to be written. Further ones are counted, and the log says how many.
pub const AUDIT_WAITING_MAX: usize = 1_024;
/// Bytes of a configuration file. A longer one is refused unread.
pub const CONFIG_FILE_MAX: u64 = 1024 * 1024;

const _: () = assert!(
    SLOTS_HELD_MAX <= SLOTS_PER_LINK_MAX && SLOTS_PER_LINK_MAX < SLOTS_MAX,
    "a requester may have all its slots, a node not all of an instance"
);
const _: () =
    assert!(5 * SLOTS_HELD_MAX + 16 <= SLOT_LETTER_MAX, "all slots of a requester fit one letter");
const _: () = assert!(TOKEN_MAX * 2 < OPTIONS_MAX, "a token leaves room for metadata");
const _: () = assert!(
    CHUNK_MAX + OPTIONS_MAX + NAME_MAX * 2 + METHOD_MAX + 64 <= FRAME_MAX,
    "a chunk fits a frame"
);
const _: () = assert!(RECORD_MAX + 64 + 16 <= DATAGRAM_MAX, "a record fits a datagram");
const _: () = assert!(
    2 * CHUNK_MAX <= WINDOW as usize && WINDOW <= LINK_WINDOW,
    "a chunk fits half a window: bulk never stalls"
);
const _: () = assert!(
    OUTGOING_MAX + 4 * CONVERSATIONS_MAX as usize <= OUTBOX_MAX,
    "who keeps to the rules never fills the outbox"
);
const _: () = assert!(STREAM_QUEUE <= WINDOW as usize, "no more waits at either end of a stream");
const _: () = assert!(BULK_IN_FLIGHT < WRITE_MAX, "small frames have room beside bulk");
const _: () = assert!(LINK_WINDOW as usize <= BUDGET, "one link cannot spend the budget of all");
const _: () =
    assert!(REGISTRY_DATAGRAM_MAX + 88 <= DATAGRAM_MAX, "a registry message fits a datagram");
const _: () = assert!(RECORD_MAX + 4 <= REGISTRY_DATAGRAM_MAX, "a record fits a registry message");
const _: () =
    assert!(256 * 4 < REGISTRY_DATAGRAM_MAX, "the sums of all buckets fit a registry message");
const _: () =
    assert!(REGISTRY_DATAGRAM_MAX <= BODY_MAX, "a registry message is a body of a datagram");
const _: () = assert!(
    2 * REDIS_SAMPLE * REDIS_ENTRY_MAX <= REDIS_ANSWER_MAX,
    "an answer of entries within their bounds is within its own"
);
const _: () = assert!(
    2 * HALF_OPEN_PER_SOURCE_MAX <= HALF_OPEN_MAX && HALF_OPEN_MAX < LINKS_MAX,
    "one source cannot take all places, nor those that are half open all links"
);
const _: () = assert!(
    2 * SCOUTS.burst as usize <= FINDINGS_MAX,
    "one source cannot take all room for scouts"
);
const _: () = assert!(
    PAYLOAD_MAX <= PACKETS_UNREAD_BYTES_MAX && PAYLOAD_MAX <= PACKETS_QUEUED_BYTES_MAX,
    "a packet of any size has room to wait"
);
const _: () = assert!(HELLO_MAX <= TLS_HANDSHAKE_MAX, "a Hello is the smaller part");
