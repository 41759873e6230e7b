//! What must hold of the batches in which messages come, and of the reports that go back?

use crate::id::NodeId;
use crate::name::Topic;
use crate::registry::Slow;
use crate::talk::{Options, Payload};
use crate::topics::{Batch, Encoded, Message, Outlet, Put, Report, Run, split};
use crate::wire::options::read_options;
use crate::wire::{Malformed, Reader};
use bytes::Bytes;

const FROM: NodeId = NodeId::from_bytes([7; 16]);

/// All that is told of a message.
type Told = (Topic, Payload, Option<Box<Options>>);

/// A batch, or a report: what a batch is split into is all that was in it, however it is taken, and reads back; so does a
/// report.
pub fn batch(bytes: &[u8]) {
    report(bytes);
    let bytes = Bytes::copy_from_slice(bytes);
    let Ok(Batch { lost, runs }) = split(FROM, &bytes) else { return };
    let held: u64 = runs.iter().map(|run| u64::from(run.len())).sum();
    let counted = count(&bytes).expect("a batch that was split");
    assert_eq!((lost, held), counted, "messages that are neither there nor lost");
    let used: usize = runs.iter().map(Run::bytes).sum();
    assert!(used <= bytes.len(), "runs of {used} bytes");
    let all: Vec<Told> = runs.into_iter().flat_map(messages).collect();
    assert_eq!(sent_again(&all), all, "messages that do not read back");
}

fn report(bytes: &[u8]) {
    let Ok(report) = Report::decode(bytes) else { return };
    let mut out = Vec::new();
    report.encode(&mut out);
    assert_eq!(Report::decode(&out), Ok(report), "a report that does not read back");
}

/// How many messages of a batch are lost, and how many are there; by a reader that keeps nothing.
fn count(bytes: &[u8]) -> Result<(u32, u64), Malformed> {
    let mut reader = Reader::new(bytes);
    reader.u8()?;
    let (mut lost, mut held) = (reader.u32()?, 0);
    while !reader.is_empty() {
        let first = reader.u8()?;
        if first & 0b0100 != 0 {
            reader.str(usize::MAX)?;
        }
        let options =
            if first & 0b1000 != 0 { read_options(&mut reader)? } else { Options::default() };
        let len = reader.varint32()? as usize;
        reader.take(len)?;
        match options.not_understood {
            Some(_) => lost = lost.saturating_add(1),
            None => held += 1,
        }
    }
    Ok((lost, held))
}

/// The messages of a run: the same, taken together or one by one.
fn messages(mut run: Run) -> Vec<Told> {
    assert!(!run.is_empty(), "a run without messages");
    let (topic, is_foreign) = (run.topic().clone(), run.origin().is_some());
    let together: Vec<Told> = run.clone().map(told).collect();
    let mut singly = Vec::new();
    while !run.is_empty() {
        let before = (run.len(), run.bytes());
        let mut one = run.split_off_front(1);
        assert_eq!((one.len() + run.len(), one.bytes() + run.bytes()), before);
        singly.extend(one.next().map(told));
    }
    assert_eq!(run.bytes(), 0, "bytes of no message");
    assert_eq!(singly, together, "what comes depends on how it is taken");
    for (of, _, options) in &together {
        assert_eq!(of, &topic, "a message in the run of another topic");
        let origin = options.as_ref().is_some_and(|options| !options.origin.is_empty());
        assert!(origin == is_foreign && (!origin || together.len() == 1), "not to be judged alone");
    }
    together
}

fn told(message: Message) -> Told {
    assert_eq!(message.from, FROM);
    let options = message.options.filter(|options| !options.is_empty());
    (message.topic, message.payload, options)
}

/// The same messages, published again, as they come out of one outlet.
fn sent_again(all: &[Told]) -> Vec<Told> {
    let mut outlet = Outlet::new(Slow::default());
    let mut batches = Vec::new();
    for (topic, payload, options) in all {
        let encoded = Encoded::new(topic.clone(), payload.clone(), options.as_deref());
        let encoded = encoded.expect("what came is within its bounds");
        while outlet.put(&encoded) != Put::Taken {
            batches.push(outlet.take().expect("a full outlet holds something"));
        }
    }
    batches.extend(std::iter::from_fn(|| outlet.take()));
    let runs = batches.iter().flat_map(|batch| split(FROM, batch).expect("our own bytes").runs);
    runs.flat_map(|run| run.map(told)).collect()
}
