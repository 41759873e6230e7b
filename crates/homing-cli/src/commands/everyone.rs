//! What do all instances say, asked at once from a shell?

use serde::Serialize;
use serde_json::Value;

use super::call::{described, explained};
use crate::args::CallArgs;
use crate::exit::Failure;
use crate::output::{Output, Paint};
use homing::{Callee, Code, Encoding, Instance, Node, Outcome, Payload, Status};

/// Sends the payload to every instance, and prints what becomes of it at each, as it comes.
pub(super) async fn ask(
    node: &Node,
    args: &CallArgs,
    (callee, payload): (Callee, Payload),
    output: Output,
) -> Result<(), Failure> {
    let mut call = callee.call_all_raw(payload);
    for (key, value) in &args.along.metadata {
        call = call.metadata(key.clone(), value.clone());
    }
    let mut outcomes = call.await.map_err(|error| explained(error, &node.info()))?;
    let asked = outcomes.left();
    let (mut failed, mut first) = (0, None);
    while let Some(outcome) = outcomes.next().await {
        let outcome = Told::from(outcome);
        let told = if args.json { output.object(&outcome) } else { outcome.print(output) };
        told?;
        if let Said::Failed(status) = outcome.said {
            failed += 1;
            first.get_or_insert(status);
        }
    }
    first.map_or(Ok(()), |status| Err(Failure::Partly(status, failed, asked)))
}

/// What became of it at one instance, and the JSON form of it.
#[derive(Debug, Serialize)]
struct Told {
    #[serde(flatten)]
    instance: Instance,
    #[serde(flatten, serialize_with = "said")]
    said: Said,
}

#[derive(Debug)]
enum Said {
    Replied(Payload),
    Failed(Status),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Shown {
    Reply(Value),
    Error { code: &'static str, message: String },
}

impl From<Outcome> for Told {
    fn from((instance, result): Outcome) -> Self {
        let said = match result {
            Ok(reply) => Said::Replied(reply.payload),
            Err(error) => Said::Failed(error.status().clone()),
        };
        Self { instance, said }
    }
}

impl Told {
    /// A line, or one for each line of the reply, that begins with who says it.
    fn print(&self, output: Output) -> Result<(), Failure> {
        let who = output.painted(Paint::Dim, &format!("{}:", described(&self.instance)));
        match &self.said {
            Said::Failed(status) => {
                let failure = output.painted(Paint::Red, &status.to_string());
                output.line(format_args!("{who} {failure}"))
            }
            Said::Replied(payload) => {
                let text = String::from_utf8_lossy(&payload.bytes);
                let mut lines = text.lines();
                let first = lines.next().unwrap_or_default();
                std::iter::once(first)
                    .chain(lines)
                    .try_for_each(|line| output.line(format!("{who} {line}").trim_end()))
            }
        }
    }
}

fn said<S: serde::Serializer>(said: &Said, to: S) -> Result<S::Ok, S::Error> {
    match said {
        Said::Replied(payload) => Shown::Reply(shown(payload)),
        Said::Failed(Status { code, message, .. }) => {
            Shown::Error { code: Code::name(*code), message: message.clone() }
        }
    }
    .serialize(to)
}

/// As JSON where it is that, as text where it is that, else the numbers of its bytes.
fn shown(payload: &Payload) -> Value {
    let json = || serde_json::from_slice(&payload.bytes).ok();
    let parsed = if payload.encoding == Encoding::Json { json() } else { None };
    parsed.unwrap_or_else(|| match str::from_utf8(&payload.bytes) {
        Ok(text) => text.into(),
        Err(_) => payload.bytes.to_vec().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use homing::Code;

    fn told(said: Said) -> String {
        let node = "01010101010101010101010101010101".parse().unwrap();
        let instance = Instance { node, name: "a".parse().unwrap(), version: None };
        serde_json::to_string(&Told { instance, said }).unwrap()
    }

    #[track_caller]
    fn check(encoding: Encoding, bytes: &'static [u8], reply: &str) {
        let line = told(Said::Replied(Payload { encoding, bytes: bytes.into() }));
        assert!(line.ends_with(&format!("\"reply\":{reply}}}")), "{line}");
    }

    #[test]
    fn a_reply_is_shown_as_what_it_is() {
        check(Encoding::Json, b"{\"a\": 1}", "{\"a\":1}");
        check(Encoding::Text, b"{\"a\": 1}\n", r#""{\"a\": 1}\n""#);
        check(Encoding::Raw, b"\xff\x00", "[255,0]");
        let line = told(Said::Failed(Status::new(Code::Aborted, "no")));
        assert!(line.ends_with(r#""error":{"code":"ABORTED","message":"no"}}"#), "{line}");
    }
}
