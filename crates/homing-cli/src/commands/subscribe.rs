//! How are messages listened to from a shell? A line each, until there were enough or nobody reads on.

use serde::Serialize;
use serde_json::Value;

use super::stream::end_of_reader;
use crate::args::SubArgs;
use crate::children::LISTENING;
use crate::exit::Failure;
use crate::output::{Output, Paint};
use crate::runtime;
use crate::settings::Settings;
use crate::signals::Signals;
use homing::{Code, Dropped, Encoding, Message, Node, Slow, Status, Subscription, TopicPattern};

/// Prints what comes.
pub(crate) fn run(args: &SubArgs, settings: &Settings, output: Output) -> Result<(), Failure> {
    let wrong = "--wait is for --slow wait: what is dropped is not waited for";
    let slow = args.slow().ok_or_else(|| Failure::Usage(wrong.to_owned()))?;
    runtime::run_wide(async {
        let mut signals = Signals::new()?;
        let node = signals.or(async { Ok(Node::join(settings.member()).await?) }).await?;
        let listened = async {
            tokio::select! {
                outcome = listen(&node, args, slow, output) => outcome,
                () = end_of_reader() => Err(Failure::OutputClosed),
            }
        };
        let outcome = signals.or(listened).await;
        node.close().await;
        outcome
    })
}

async fn listen(node: &Node, args: &SubArgs, slow: Slow, output: Output) -> Result<(), Failure> {
    let mut subscribe = node.subscribe(args.patterns.iter().map(TopicPattern::as_str)).slow(slow);
    if let Some(group) = &args.group {
        subscribe = subscribe.group(group);
    }
    if let Some(capacity) = args.capacity {
        subscribe = subscribe.capacity(capacity);
    }
    let mut messages = subscribe.await?;
    messages.ready().await; // late: some may not know yet, and find out by themselves
    let shown: Vec<&str> = args.patterns.iter().map(TopicPattern::as_str).collect();
    output.note(format_args!("{LISTENING} {}", shown.join(" ")));
    let outcome = print(&mut messages, args, output).await;
    tell_dropped(messages.dropped(), output);
    outcome
}

async fn print(messages: &mut Subscription, args: &SubArgs, output: Output) -> Result<(), Failure> {
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        let Some(message) = messages.next().await else {
            let why = "the node was closed by the mesh";
            return Err(Status::not_started(Code::Unavailable, why).into());
        };
        if args.json {
            output.object(&Shown::new(&message))?;
        } else {
            let mut line = Vec::new();
            if !args.payload {
                line.extend(output.painted(Paint::Dim, message.topic().as_str()).into_bytes());
                line.push(b' ');
            }
            line.extend(readable(&message));
            output.item(&line)?;
        }
        left -= 1;
    }
    Ok(())
}

/// A message as `--json` prints it.
#[derive(Serialize)]
struct Shown<'a> {
    topic: &'a str,
    from: String,
    encoding: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Value>,
    /// The bytes of what has no form in JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_hex: Option<String>,
}

impl<'a> Shown<'a> {
    fn new(message: &'a Message) -> Self {
        let payload = match message.payload().encoding {
            // Text is text, also where it reads like a number.
            Encoding::Text | Encoding::Raw => {
                str::from_utf8(&message.payload().bytes).ok().map(Value::from)
            }
            Encoding::Json | Encoding::MessagePack => message.value().ok(),
        };
        let payload_hex = payload.is_none().then(|| hex(&message.payload().bytes));
        Self {
            topic: message.topic().as_str(),
            from: message.from().to_string(),
            encoding: message.payload().encoding.name(),
            payload,
            payload_hex,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// A payload for people: what programs say in `MessagePack` is shown as JSON.
fn readable(message: &Message) -> Vec<u8> {
    let payload = message.payload();
    let as_json = || serde_json::to_vec(&message.value::<Value>().ok()?).ok();
    match payload.encoding {
        Encoding::MessagePack => as_json().unwrap_or_else(|| payload.bytes.to_vec()),
        Encoding::Raw | Encoding::Json | Encoding::Text => payload.bytes.to_vec(),
    }
}

fn tell_dropped(Dropped { here, there }: Dropped, output: Output) {
    if here > 0 {
        output.note(format_args!("{here} messages were dropped: our output was not read in time"));
    }
    if there > 0 {
        output.note(format_args!(
            "{there} messages were dropped by publishers: we took none in time"
        ));
    }
}
