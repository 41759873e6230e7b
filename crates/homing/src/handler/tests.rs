//! Do all shapes of handler answer as they should?

use super::*;
use crate::context::tests::context;
use homing_core::talk::{Code, Options};

fn request(text: &'static str) -> Payload {
    Payload { encoding: Encoding::Text, bytes: text.into() }
}

/// Runs one call and shows its answer: encoding, bytes, metadata; or the failure and whether anything ran.
async fn answer(handler: ErasedHandler, request: Payload) -> String {
    shown(started(&handler, request, context(None, Options::default())).get_pin().await)
}

fn started(handler: &ErasedHandler, request: Payload, context: Context) -> Working {
    let mut working = Working::new(std::future::pending());
    handler.start_in(&mut working, request, context);
    working
}

fn shown(answer: Answer) -> String {
    match answer {
        Ok(Annotated { value, metadata }) => {
            let mut shown = format!("{} {}", value.encoding, value.bytes.escape_ascii());
            for (name, value) in metadata {
                shown.extend([" ", &name, "=", &value.escape_ascii().to_string()]);
            }
            shown
        }
        Err(status) => format!("{status} ({:?})", status.started),
    }
}

#[track_caller]
fn check<M>(handler: impl Handler<M>, text: &'static str, expect: &str) {
    let found = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(answer(handler.erase(), request(text)));
    assert_eq!(found, expect);
}

struct OutOfInk;

impl From<OutOfInk> for Status {
    fn from(_: OutOfInk) -> Self {
        Self::new(Code::FailedPrecondition, "out of ink")
    }
}

async fn double(number: u32) -> u32 {
    number * 2
}

async fn halve(number: u32, context: Context) -> Result<u32, Status> {
    if number % 2 == 1 {
        let message = format!("{}: {number} is odd", context.method());
        return Err(Status::new(Code::OutOfRange, message));
    }
    Ok(number / 2)
}

#[test]
fn every_shape_of_handler_answers() {
    check(double, "4", "text 8");
    check(halve, "4", "text 2");
    check(halve, "3", "OUT_OF_RANGE: say: 3 is odd (Maybe)");
    check(|text: String| async move { text }, "four words", "text four words");
    check(|(): ()| async {}, "", "text null");
    check(|(): (), context: Context| async move { context.caller().short() }, "", "text 01010101");
    check(
        |ink: u32| async move { if ink == 0 { Err(OutOfInk) } else { Ok(ink) } },
        "0",
        "FAILED_PRECONDITION: out of ink (Maybe)",
    );
    check(async |number: u32| number + 1, "4", "text 5");
}

#[test]
fn a_reply_takes_metadata_along_with_or_without_a_result() {
    let with = |n: u32| Annotated::new(n).with("unit", "bytes").with("unit", "words");
    check(move |n: u32| async move { with(n) }, "4", "text 4 unit=bytes unit=words");
    check(
        move |n: u32| async move { Ok::<_, Status>(with(n)) },
        "4",
        "text 4 unit=bytes unit=words",
    );
}

#[test]
fn a_request_that_cannot_be_read_never_reaches_its_handler() {
    async fn untouched(_: u32) -> u32 {
        unreachable!("it was called")
    }
    check(
        untouched,
        "many",
        "INVALID_ARGUMENT: the request: a payload of 4 bytes of text is not what is expected: \
         invalid type: string \"many\", expected u32; and it is not JSON: expected value at line 1 column 1 (No)",
    );
}

#[test]
fn a_reply_that_cannot_be_written_is_an_internal_failure() {
    check(
        |_: String| async { std::collections::BTreeMap::from([((1, 2), 3)]) },
        "",
        "INTERNAL: the reply: cannot be written as text: key must be a string (Maybe)",
    );
}

#[tokio::test]
async fn a_raw_handler_sees_the_bytes_and_their_encoding() {
    let echo = |request: Payload, _: Context| async move { Ok(request) };
    assert_eq!(answer(echo.erase_raw(), request("a")).await, "text a");
    let refuse = |_: Payload, _: Context| async move {
        Err::<Payload, _>(Status::new(Code::NotFound, "no"))
    };
    assert_eq!(answer(refuse.erase_raw(), request("a")).await, "NOT_FOUND: no (Maybe)");
    let noted =
        |request: Payload, _: Context| async move { Ok(Annotated::new(request).with("seen", "1")) };
    assert_eq!(answer(noted.erase_raw(), request("a")).await, "text a seen=1");
}

#[tokio::test]
async fn a_box_serves_call_after_call() {
    let handler = double.erase();
    let mut working = started(&handler, request("1"), context(None, Options::default()));
    let mut seen = vec![shown(working.get_pin().await)];
    for text in ["2", "3"] {
        handler.start_in(&mut working, request(text), context(None, Options::default()));
        seen.push(shown(working.get_pin().await));
    }
    assert_eq!(seen, ["text 2", "text 4", "text 6"]);
}
