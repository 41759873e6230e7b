//! How does a persistent record get out of the registry?

use crate::args::FreeArgs;
use crate::exit::Failure;
use crate::opening::hint;
use crate::output::Output;
use crate::runtime;
use crate::settings::Settings;
use crate::signals::Signals;
use homing::{Code, Node, Record, RecordId, Status};

/// Frees the one that was meant.
pub(crate) fn run(args: &FreeArgs, settings: &Settings, output: Output) -> Result<(), Failure> {
    runtime::run_alone(async {
        let mut signals = Signals::new()?;
        let node = signals.or(super::visit(settings)).await?;
        let outcome = signals.or(free(&node, args)).await;
        node.close().await;
        let record = outcome?;
        if args.json {
            return output.document(&record);
        }
        output.line(format_args!("freed {}", shown(&record)))
    })
}

async fn free(node: &Node, args: &FreeArgs) -> Result<Record, Failure> {
    let mut meant = node.registry().services();
    meant.retain(|record| record.is_registered() && is_meant(record, args));
    let id: RecordId = match &meant[..] {
        [record] => record.id.expect("it is in the registry"),
        // What this node may not see, it can end all the same.
        [] => args.id.as_ref().and_then(|id| id.parse().ok()).ok_or_else(|| none(node, args))?,
        several => return Err(Failure::Usage(ambiguous(several))),
    };
    let freed = node.registry().free(id).await?;
    // Who holds it is to know before this visitor is gone.
    let _ = node.registry().spread(id).await;
    freed.ok_or_else(|| none(node, args))
}

fn is_meant(record: &Record, args: &FreeArgs) -> bool {
    let of_port = |port: std::num::NonZeroU16| record.port == Some(port.get());
    match (&args.id, args.port) {
        (Some(text), _) => record.id.is_some_and(|id| begins_with(id, text)),
        (None, Some(port)) => of_port(port),
        (None, None) => false,
    }
}

/// Whether an id begins so, or its short form is this.
fn begins_with(id: RecordId, text: &str) -> bool {
    !text.is_empty() && (id.to_string().starts_with(text) || id.short() == text)
}

fn none(node: &Node, args: &FreeArgs) -> Failure {
    let which = match (&args.id, args.port) {
        (Some(id), _) => format!("whose id begins with {id}"),
        (None, Some(port)) => format!("at port {port}"),
        (None, None) => "of that kind".to_owned(),
    };
    let message = format!("no record is registered {which} (homing ls --all shows all)");
    let status = Status::not_started(Code::NotFound, message);
    match hint(&node.info()).filter(|_| node.registry().everything().is_empty()) {
        Some(hint) => Failure::Nowhere(status, hint),
        None => status.into(),
    }
}

fn ambiguous(several: &[Record]) -> String {
    let lines: Vec<_> = several.iter().map(|record| format!("\n  {}", shown(record))).collect();
    format!("{} records are meant: give more of the id of one{}", several.len(), lines.concat())
}

/// `3f1c…-1-1  db@15.2.0  10.0.0.5:5432`
fn shown(record: &Record) -> String {
    let id = record.id.map_or_else(String::new, |id| id.to_string());
    let place = record.place().unwrap_or_default();
    format!("{id}  {}  {place}", record.name()).trim_end().to_owned()
}
