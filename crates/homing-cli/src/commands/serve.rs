//! How does a program become a service, and how does it stop being one?

use std::future::pending;
use std::str;
use std::sync::Arc;
use std::thread;

use crate::args::{Answer, OfferArgs, ServeArgs};
use crate::children::{self, SERVING};
use crate::exec::{Job, Program};
use crate::exit::Failure;
use crate::output::Output;
use crate::runtime;
use crate::settings::Settings;
use crate::signals::Signals;
use homing::{
    Code, Context, Encoding, Event, Guard, Node, Payload, RawItems, RawWriter, Responder, Status,
};

/// Offers the service until a signal (or the end of stdin, where asked) and lets its calls end.
pub(crate) fn run(args: &ServeArgs, settings: &Settings, output: Output) -> Result<(), Failure> {
    runtime::run_wide(async {
        let mut signals = Signals::new()?;
        let mut config = settings.member();
        config.timings.drain = args.drain_time;
        let node = signals.or(async { Ok(Node::join(config).await?) }).await?;
        let served = signals.or(offer(&node, args)).await;
        let _responder = match served {
            Ok(responder) => responder,
            Err(failure) => {
                node.close_now().await;
                return Err(failure);
            }
        };
        let info = node.info();
        output.note(format_args!("{SERVING} {} as {} ({})", args.service, info.name, info.id));
        if info.guard == Guard::Insecure {
            output.note("warning: --insecure: whoever reaches this node is let in, and what it says can be read");
        }
        tokio::select! {
            signal = signals.next() => {
                output.note(format_args!("{signal}: draining; a second signal ends at once"));
                drain(&node, &mut signals).await
            }
            failure = end_of_node(&node) => Err(failure),
            () = end_of_parent(args.while_stdin) => {
                node.close_now().await;
                Ok(())
            }
        }
    })
}

async fn offer(node: &Node, args: &ServeArgs) -> Result<Responder, Failure> {
    let builder = described(node, args);
    let responder = match answer(&args.answer) {
        Reply::Program(program) if args.stream => {
            let program = Arc::new(program);
            let handler =
                move |items, writer, context| follow(Arc::clone(&program), items, writer, context);
            builder.serve_stream_raw(handler).await
        }
        Reply::Program(program) => {
            let program = Arc::new(program);
            let handler = move |request, context| execute(Arc::clone(&program), request, context);
            builder.serve_raw(handler).await
        }
        Reply::Echo => builder.serve_raw(|request, _: Context| async { Ok(request) }).await,
        Reply::Text(reply) => {
            builder
                .serve_raw(move |_, _: Context| {
                    let reply = reply.clone();
                    async { Ok(reply) }
                })
                .await
        }
    };
    Ok(responder?)
}

fn described(node: &Node, args: &ServeArgs) -> homing::ResponderBuilder {
    let OfferArgs { repeatable, label, metadata, concurrency, queue } = &args.offer;
    let mut builder = node.responder(&args.service.to_string()).repeatable(*repeatable);
    for label in label {
        builder = builder.label(label.clone());
    }
    if let Some(metadata) = metadata {
        builder = builder.metadata(metadata.clone());
    }
    if let Some(concurrency) = concurrency.or_else(|| usual_for(args)) {
        builder = builder.concurrency(concurrency);
    }
    if let Some(queue) = queue {
        builder = builder.queue(*queue);
    }
    builder
}

/// Programs that run at once and mostly wait for something to say.
const STREAMS: u32 = 256;

/// A program per call takes a core; more at once only take each other's time (decisions E5).
fn usual_for(args: &ServeArgs) -> Option<u32> {
    args.answer.exec.as_ref()?;
    if args.stream {
        return Some(STREAMS);
    }
    thread::available_parallelism().ok().and_then(|cores| u32::try_from(cores.get()).ok())
}

enum Reply {
    Program(Program),
    Echo,
    Text(Payload),
}

fn answer(answer: &Answer) -> Reply {
    match (&answer.exec, &answer.reply) {
        (Some(line), _) => Reply::Program(Program::new(line)),
        (None, Some(text)) => {
            let bytes = text.clone().into_bytes().into();
            Reply::Text(Payload { encoding: Encoding::Text, bytes })
        }
        (None, None) => Reply::Echo,
    }
}

async fn execute(
    program: Arc<Program>,
    request: Payload,
    context: Context,
) -> Result<Payload, Status> {
    let caller = context.caller().to_string();
    let job = Job {
        method: context.method().as_str(),
        caller: &caller,
        remaining: context.remaining(),
        input: &request.bytes,
    };
    let reply = program.run(job).await?;
    let encoding = encoding_of_reply(request.encoding, &reply);
    Ok(Payload { encoding, bytes: reply.into() })
}

/// What is asked is the program's stdin, each line that it prints an item.
async fn follow(
    program: Arc<Program>,
    items: RawItems,
    writer: RawWriter,
    context: Context,
) -> Result<(), Status> {
    let caller = context.caller().to_string();
    let job =
        Job { method: context.method().as_str(), caller: &caller, remaining: None, input: &[] };
    program.follow(job, items, |line| writer.write(encoded_line(context.encoding(), line))).await
}

fn encoded_line(asked: Encoding, line: Vec<u8>) -> Payload {
    let encoding = match encoding_of_reply(asked, &line) {
        Encoding::Raw if str::from_utf8(&line).is_ok() => Encoding::Text,
        encoding => encoding,
    };
    Payload { encoding, bytes: line.into() }
}

/// A program answers in the encoding of its request, where what it said is that (decisions E4).
fn encoding_of_reply(asked: Encoding, reply: &[u8]) -> Encoding {
    let holds = match asked {
        Encoding::Text => str::from_utf8(reply).is_ok(),
        Encoding::Json => serde_json::from_slice::<serde::de::IgnoredAny>(reply).is_ok(),
        Encoding::Raw | Encoding::MessagePack => false,
    };
    if holds { asked } else { Encoding::Raw }
}

/// Lets calls end, for as long as the node's settings say. A second signal ends at once.
async fn drain(node: &Node, signals: &mut Signals) -> Result<(), Failure> {
    let closed = async {
        node.close().await;
        Ok(())
    };
    let outcome = signals.or(closed).await;
    if outcome.is_err() {
        node.close_now().await;
    }
    outcome
}

/// Resolves when the node ends by itself, with the last that it said.
pub(super) async fn end_of_node(node: &Node) -> Failure {
    let mut events = node.events();
    let mut reason = Status::new(Code::Internal, "the node closed by itself");
    while let Some(event) = events.next().await {
        match event {
            Event::Error(status) => reason = status,
            Event::Closed => break,
            _ => {}
        }
    }
    reason.into()
}

/// For children: resolves when the parent is gone. Never, if nobody asked.
async fn end_of_parent(asked: bool) {
    if asked { children::end_of_stdin().await } else { pending().await }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(asked: Encoding, reply: &[u8], expect: Encoding) {
        assert_eq!(encoding_of_reply(asked, reply), expect);
    }

    #[test]
    fn a_program_answers_in_the_encoding_of_its_request_where_that_is_true() {
        check(Encoding::Text, b"4\n", Encoding::Text);
        check(Encoding::Text, b"\xff", Encoding::Raw);
        check(Encoding::Json, b"{\"a\": 1}\n", Encoding::Json);
        check(Encoding::Json, b"not json", Encoding::Raw);
        check(Encoding::MessagePack, b"x", Encoding::Raw);
        check(Encoding::Raw, b"x", Encoding::Raw);
    }
}
