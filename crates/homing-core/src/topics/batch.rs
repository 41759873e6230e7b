//! How do many messages travel as one item of a stream?
//!
//! ```text
//! batch:   format u8 (1), lost u32 (messages of this lane that were dropped since the batch before), then messages
//! message: first u8 (bits 0-1 encoding, 2 a topic follows, 3 options follow), [topic str], [options], length varint, bytes
//! ```
//! A batch of more than [`CHUNK_MAX`] bytes is one message.
//!
//! A message without a topic has that of the message before it. The first of a batch has one: a batch can be read
//! without those before it.

use crate::id::NodeId;
use crate::limits::{CHUNK_MAX, OPTIONS_MAX, PAYLOAD_MAX, PUBLISHED_MAX, TOPIC_MAX, UNCOUNTED_MAX};
use crate::name::Topic;
use crate::talk::{Code, Encoding, Options, Payload, Status};
use crate::wire::options::{options_len, put_options, read_options};
use crate::wire::{Malformed, Reader, put_str, put_varint};
use bytes::Bytes;

const FORMAT: u8 = 1;
/// Bytes in front of the first message.
pub(super) const FRONT: usize = 5;
const ENCODING: u8 = 0b0011;
const TOPIC: u8 = 0b0100;
const OPTIONS: u8 = 0b1000;
/// A batch that has so many bytes takes no further message: it goes in one frame. A longer one is one message: what is
/// made of a batch, and what of it a queue keeps alive, is bounded by this.
pub(super) const BATCH_MAX: usize = CHUNK_MAX;
/// Messages beyond this go in a batch of their own, which all lanes share.
const SHARED: usize = 4 * 1024;
/// Bytes of a message beside topic, options and payload, at most.
const OVERHEAD: usize = 8;

const _: () = assert!(
    FRONT + OVERHEAD + TOPIC_MAX + OPTIONS_MAX + PUBLISHED_MAX <= PAYLOAD_MAX,
    "the largest message is an item of a stream"
);
const _: () = assert!(FRONT + OVERHEAD + TOPIC_MAX + OPTIONS_MAX + SHARED < BATCH_MAX);

/// A message on its way out. What its program made of it is encoded once, whoever gets it.
#[derive(Clone, Debug)]
pub struct Encoded {
    topic: Topic,
    payload: Payload,
    options: Option<Box<[u8]>>,
    /// The batch of this message alone, where it is a large one.
    alone: Option<Bytes>,
}

impl Encoded {
    /// Makes a message ready to leave. Nothing is allocated for a small one without options.
    ///
    /// # Errors
    /// The payload is over [`PUBLISHED_MAX`], or the options are over [`OPTIONS_MAX`].
    pub fn new(topic: Topic, payload: Payload, options: Option<&Options>) -> Result<Self, Status> {
        let options = options.filter(|options| !options.is_empty());
        check(&payload, options)?;
        let options = options.map(|options| {
            let mut bytes = Vec::new();
            put_options(&mut bytes, options);
            bytes.into_boxed_slice()
        });
        let mut message = Self { topic, payload, options, alone: None };
        if message.len() > SHARED {
            let mut alone = Vec::with_capacity(FRONT + message.len());
            begin(&mut alone);
            message.put(&mut alone, true);
            message.alone = Some(alone.into());
        }
        Ok(message)
    }

    /// Where it is published.
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    /// Bytes that it takes in a batch, at most.
    pub(super) fn len(&self) -> usize {
        let options = self.options.as_ref().map_or(0, |options| options.len());
        OVERHEAD + self.topic.as_str().len() + options + self.payload.bytes.len()
    }

    /// The batch of this message alone, where it is too large to share one with others.
    pub(super) fn alone(&self) -> Option<&Bytes> {
        self.alone.as_ref()
    }

    /// Appends the message to a batch.
    pub(super) fn put(&self, out: &mut Vec<u8>, with_topic: bool) {
        let mut first = self.payload.encoding as u8;
        if with_topic {
            first |= TOPIC;
        }
        if self.options.is_some() {
            first |= OPTIONS;
        }
        out.push(first);
        if with_topic {
            put_str(out, self.topic.as_str());
        }
        if let Some(options) = &self.options {
            out.extend_from_slice(options);
        }
        put_varint(out, self.payload.bytes.len() as u64);
        out.extend_from_slice(&self.payload.bytes);
    }
}

fn check(payload: &Payload, options: Option<&Options>) -> Result<(), Status> {
    let over = |what: &str, is: usize, max: usize| {
        let why = format!("the {what} of a message has {is} bytes, at most {max} can be published");
        Err(Status::not_started(Code::ResourceExhausted, why))
    };
    match options.map_or(0, options_len) {
        len if len > OPTIONS_MAX => return over("metadata", len, OPTIONS_MAX),
        _ => {}
    }
    match payload.bytes.len() {
        len if len > PUBLISHED_MAX => over("payload", len, PUBLISHED_MAX),
        _ => Ok(()),
    }
}

/// Begins a batch.
pub(super) fn begin(out: &mut Vec<u8>) {
    out.extend_from_slice(&[FORMAT, 0, 0, 0, 0]);
}

/// Writes into the front of a batch how many were lost before it; gives back those that did not fit the number.
pub(super) fn set_lost(batch: &mut [u8], lost: u64) -> u64 {
    let told = u32::try_from(lost).unwrap_or(u32::MAX);
    batch[1..FRONT].copy_from_slice(&told.to_be_bytes());
    lost - u64::from(told)
}

/// What came as one item.
#[derive(Debug)]
pub struct Batch {
    /// Messages that the publisher dropped since the batch before.
    pub lost: u32,
    /// Messages that follow each other on one topic, in order.
    pub runs: Vec<Run>,
}

/// Splits a batch that `from` sent by the topics of its messages; what it publishes for a foreign system comes message by
/// message, to be judged so. A message with an option that must not be skipped and is
/// not known here counts as lost.
///
/// # Errors
/// It is none of this protocol. A newer format is none, either: both sides have the features that they agreed to.
pub fn split(from: NodeId, batch: &Bytes) -> Result<Batch, Malformed> {
    let mut reader = Reader::new(batch);
    if reader.u8()? != FORMAT {
        return Err(Malformed("batch: format"));
    }
    let mut split = Batch { lost: reader.u32()?, runs: Vec::new() };
    let mut span: Option<Span> = None;
    let mut topic: Option<Topic> = None;
    while !reader.is_empty() {
        let start = batch.len() - reader.rest().len();
        let head = Head::read(&mut reader)?;
        reader.take(head.len)?;
        let end = batch.len() - reader.rest().len();
        if batch.len() > BATCH_MAX && end < batch.len() {
            return Err(Malformed("batch: several messages in a long one"));
        }
        let is_new = head.topic.filter(|new| topic.as_ref().is_none_or(|old| old.as_str() != *new));
        let options = head.options.as_deref();
        let is_refused = options.is_some_and(|options| options.not_understood.is_some());
        let is_foreign = options.is_some_and(|options| !options.origin.is_empty());
        if is_new.is_some() || is_refused || is_foreign {
            split.push(from, batch, span.take(), topic.as_ref());
        }
        if let Some(new) = is_new {
            topic = Some(Topic::from_peer(new).map_err(|_| Malformed("batch: topic"))?);
        }
        if topic.is_none() {
            return Err(Malformed("batch: the first message has no topic"));
        }
        if is_refused {
            split.lost = split.lost.saturating_add(1);
            continue;
        }
        let so_far = span.get_or_insert(Span { start, end, messages: 0 });
        so_far.end = end;
        so_far.messages += 1;
        if is_foreign {
            split.push(from, batch, span.take(), topic.as_ref());
        }
    }
    split.push(from, batch, span, topic.as_ref());
    Ok(split)
}

/// Where the messages of a run stand in their batch.
struct Span {
    start: usize,
    end: usize,
    messages: u32,
}

impl Batch {
    fn push(&mut self, from: NodeId, batch: &Bytes, span: Option<Span>, topic: Option<&Topic>) {
        if let (Some(Span { start, end, messages }), Some(topic)) = (span, topic) {
            // A small part of a batch would hold all of it, for as long as a program takes.
            let bytes = match 2 * (end - start) {
                most if most >= batch.len() => batch.slice(start..end),
                _ => Bytes::copy_from_slice(&batch[start..end]),
            };
            self.runs.push(Run { from, topic: topic.clone(), bytes, left: messages });
        }
    }
}

/// The fields in front of a message's payload.
struct Head<'a> {
    encoding: Encoding,
    topic: Option<&'a str>,
    options: Option<Box<Options>>,
    len: usize,
}

impl<'a> Head<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let first = reader.u8()?;
        if first & !(ENCODING | TOPIC | OPTIONS) != 0 {
            return Err(Malformed("batch: flags of a message"));
        }
        let encoding =
            Encoding::from_number(first & ENCODING).ok_or(Malformed("batch: encoding"))?;
        let topic = if first & TOPIC == 0 { None } else { Some(reader.str(TOPIC_MAX)?) };
        let options =
            if first & OPTIONS == 0 { None } else { Some(Box::new(read_options(reader)?)) };
        let len = reader.varint32()? as usize;
        if len > PUBLISHED_MAX {
            return Err(Malformed("batch: a payload over its limit"));
        }
        Ok(Self { encoding, topic, options, len })
    }
}

/// Messages on one topic, in order, as they came: read one by one when the program takes them.
#[derive(Clone, Debug)]
pub struct Run {
    from: NodeId,
    topic: Topic,
    bytes: Bytes,
    left: u32,
}

/// A message as a subscription gets it.
#[derive(Clone, Debug)]
pub struct Message {
    /// Who published it.
    pub from: NodeId,
    /// Where.
    pub topic: Topic,
    /// What.
    pub payload: Payload,
    /// What accompanies it.
    pub options: Option<Box<Options>>,
}

impl Run {
    /// Who published them.
    pub fn from(&self) -> NodeId {
        self.from
    }

    /// Where.
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    /// How many are left.
    pub fn len(&self) -> u32 {
        self.left
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The foreign system on whose behalf it was published, where that is so: then it is one message.
    pub fn origin(&self) -> Option<Bytes> {
        let options = Head::read(&mut Reader::new(&self.bytes)).ok()?.options?;
        (!options.origin.is_empty()).then_some(options.origin)
    }

    /// Takes the first `count` messages off.
    #[must_use]
    pub fn split_off_front(&mut self, count: u32) -> Self {
        if count >= self.left {
            // As most are: nothing has to be read to find the end.
            let bytes = std::mem::take(&mut self.bytes);
            let left = std::mem::take(&mut self.left);
            return Self { from: self.from, topic: self.topic.clone(), bytes, left };
        }
        let mut rest = Self { left: count, ..self.clone() };
        let mut reader = Reader::new(&self.bytes);
        for _ in 0..count {
            skip(&mut reader);
        }
        let taken = self.bytes.len() - reader.rest().len();
        rest.bytes.truncate(taken);
        self.bytes = self.bytes.slice(taken..);
        self.left -= count;
        rest
    }
}

impl Iterator for Run {
    type Item = Message;

    /// The next message. Its payload is a slice of the batch; a small one is a copy, for a slice would hold all of the
    /// batch for as long as the program keeps it (decisions C9).
    fn next(&mut self) -> Option<Message> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let mut reader = Reader::new(&self.bytes);
        let Head { encoding, options, len, .. } = Head::read(&mut reader).expect(WHOLE);
        let start = self.bytes.len() - reader.rest().len();
        let bytes = if len <= UNCOUNTED_MAX {
            Bytes::copy_from_slice(&self.bytes[start..start + len])
        } else {
            self.bytes.slice(start..start + len)
        };
        bytes::Buf::advance(&mut self.bytes, start + len);
        let payload = Payload { encoding, bytes };
        Some(Message { from: self.from, topic: self.topic.clone(), payload, options })
    }
}

/// A run is made of messages that were read once.
const WHOLE: &str = "a run has as many whole messages as it says";

fn skip(reader: &mut Reader<'_>) {
    let head = Head::read(reader).expect(WHOLE);
    reader.take(head.len).expect(WHOLE);
}
