//! Which values survive which encoding?

use super::*;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt::Debug;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Quote {
    item: String,
    count: u32,
    #[serde(default)]
    colour: Option<Colour>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Colour {
    Red,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Name(String);

const MSGPACK: Encoding = Encoding::MessagePack;
const JSON: Encoding = Encoding::Json;
const TEXT: Encoding = Encoding::Text;
const RAW: Encoding = Encoding::Raw;

/// What is written, as text: bytes beyond ASCII are escaped.
#[track_caller]
fn check_written<T: Serialize + ?Sized>(value: &T, encoding: Encoding, expect: &str) {
    let shown = match to_payload(value, encoding) {
        Ok(payload) => {
            assert_eq!(payload.encoding, encoding);
            payload.bytes.escape_ascii().to_string()
        }
        Err(status) => status.to_string(),
    };
    assert_eq!(shown, expect);
}

#[track_caller]
fn check_read<T: DeserializeOwned + Debug>(encoding: Encoding, bytes: &'static [u8], expect: &str) {
    let payload = Payload { encoding, bytes: Bytes::from_static(bytes) };
    let shown = match from_payload::<T>(&payload) {
        Ok(value) => format!("{value:?}"),
        Err(status) => status.to_string(),
    };
    assert_eq!(shown, expect);
}

fn quote() -> Quote {
    Quote { item: "ink".to_owned(), count: 3, colour: Some(Colour::Red) }
}

#[test]
fn every_encoding_writes_what_it_can() {
    check_written("a b", TEXT, "a b");
    check_written("say \"ä\"\n", TEXT, "say \\\"\\xc3\\xa4\\\"\\n");
    check_written(&Name("a".to_owned()), TEXT, "a");
    check_written(&Colour::Red, TEXT, "red");
    check_written(&7, TEXT, "7");
    check_written(&(), TEXT, "null");
    check_written("a b", JSON, "\\\"a b\\\"");
    check_written(&quote(), JSON, r#"{\"item\":\"ink\",\"count\":3,\"colour\":\"red\"}"#);
    check_written(&quote(), MSGPACK, "\\x83\\xa4item\\xa3ink\\xa5count\\x03\\xa6colour\\xa3red");
    check_written("a b", RAW, "a b");
    check_written(&Bytes::from_static(b"\xff\0"), RAW, "\\xff\\x00");
    check_written(&(), RAW, "");
    check_written(&None::<u32>, RAW, "");
}

#[test]
fn what_has_no_form_in_an_encoding_is_refused_by_name() {
    check_written(
        &7,
        RAW,
        "INVALID_ARGUMENT: cannot be written as raw: invalid type: a number, expected bytes or a string",
    );
    check_written(
        &quote(),
        RAW,
        "INVALID_ARGUMENT: cannot be written as raw: invalid type: sequence, expected bytes or a string",
    );
    check_written(
        &BTreeMap::from([((1, 2), 3)]),
        JSON,
        "INVALID_ARGUMENT: cannot be written as json: key must be a string",
    );
}

#[test]
fn text_is_json_and_else_the_string_itself() {
    check_read::<u32>(TEXT, b"17", "17");
    check_read::<String>(TEXT, b"17", "\"17\"");
    check_read::<String>(TEXT, b"\"17\"", "\"17\"");
    check_read::<String>(TEXT, b"four words", "\"four words\"");
    check_read::<String>(TEXT, b"", "\"\"");
    check_read::<Name>(TEXT, b"four words", "Name(\"four words\")");
    check_read::<Option<String>>(TEXT, b"four words", "Some(\"four words\")");
    check_read::<Option<String>>(TEXT, b"", "None");
    check_read::<Colour>(TEXT, b"red", "Red");
    check_read::<()>(TEXT, b"", "()");
    check_read::<()>(TEXT, b"null", "()");
    check_read::<Bytes>(TEXT, b"four words", "b\"four words\"");
    check_read::<serde_json::Value>(TEXT, b"four words", "String(\"four words\")");
    check_read::<Quote>(
        TEXT,
        br#"{"item":"ink","count":3}"#,
        "Quote { item: \"ink\", count: 3, colour: None }",
    );
}

#[test]
fn text_that_fits_neither_way_says_why() {
    check_read::<u32>(
        TEXT,
        b"many",
        "INVALID_ARGUMENT: a payload of 4 bytes of text is not what is expected: \
         invalid type: string \"many\", expected u32; and it is not JSON: expected value at line 1 column 1",
    );
    check_read::<Quote>(
        TEXT,
        br#"{"item":"ink"}"#,
        "INVALID_ARGUMENT: a payload of 14 bytes of text is not what is expected: \
         missing field `count` at line 1 column 14",
    );
    check_read::<String>(
        TEXT,
        b"\xff",
        "INVALID_ARGUMENT: a payload of 1 bytes of text is not what is expected: \
         invalid utf-8 sequence of 1 bytes from index 0",
    );
}

#[test]
fn raw_is_for_those_who_want_bytes() {
    check_read::<Bytes>(RAW, b"\xff\0", "b\"\\xff\\0\"");
    check_read::<Bytes>(RAW, b"", "b\"\"");
    check_read::<Option<Bytes>>(RAW, b"a", "Some(b\"a\")");
    check_read::<Option<Bytes>>(RAW, b"", "None");
    check_read::<()>(RAW, b"", "()");
    check_read::<String>(RAW, b"abc", "\"abc\"");
    check_read::<u32>(
        RAW,
        b"17",
        "INVALID_ARGUMENT: a payload of 2 bytes of raw is not what is expected: \
         invalid type: byte array, expected u32",
    );
    check_read::<Colour>(
        RAW,
        b"red",
        "INVALID_ARGUMENT: a payload of 3 bytes of raw is not what is expected: \
         invalid type: byte array, expected enum Colour",
    );
}

#[test]
fn message_pack_and_json_are_one_whole_value() {
    check_read::<u32>(MSGPACK, b"\x07", "7");
    for more in [b"\x07\x07", b"\x07\xc0", b"\x07\x91", b"\x07\xa1", b"\x07\xc1"] {
        check_read::<u32>(
            MSGPACK,
            more,
            "INVALID_ARGUMENT: a payload of 2 bytes of msgpack is not what is expected: more bytes follow the value",
        );
    }
    check_read::<u32>(
        JSON,
        b"7 7",
        "INVALID_ARGUMENT: a payload of 3 bytes of json is not what is expected: \
         trailing characters at line 1 column 3",
    );
    check_read::<u32>(
        MSGPACK,
        b"",
        "INVALID_ARGUMENT: a payload of 0 bytes of msgpack is not what is expected: \
         IO error while reading marker: failed to fill whole buffer",
    );
}

#[test]
fn a_bottomless_payload_is_an_error_and_not_a_full_stack() {
    let deep = |encoding, byte: u8| Payload { encoding, bytes: vec![byte; 1 << 20].into() };
    for payload in [deep(MSGPACK, 0x91), deep(JSON, b'['), deep(TEXT, b'[')] {
        match from_payload::<serde_json::Value>(&payload) {
            Ok(value) => assert!(value.is_string(), "text is a string to who takes anything"),
            Err(status) => assert_eq!(status.code, Code::InvalidArgument),
        }
    }
}

#[test]
fn a_quote_reads_back_from_every_encoding_that_can_hold_it() {
    for encoding in [MSGPACK, JSON, TEXT] {
        let payload = to_payload(&quote(), encoding).unwrap();
        assert_eq!(from_payload::<Quote>(&payload), Ok(quote()));
    }
}

#[test]
fn an_older_reader_skips_the_fields_it_does_not_know() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Older {
        count: u32,
    }
    let payload = to_payload(&quote(), MSGPACK).unwrap();
    assert_eq!(from_payload(&payload), Ok(Older { count: 3 }));
}

#[test]
fn a_reply_is_in_the_encoding_of_its_request_or_else_says_what_it_is_in() {
    for encoding in [MSGPACK, JSON, TEXT] {
        assert_eq!(to_reply(&quote(), encoding).map(|payload| payload.encoding), Ok(encoding));
    }
    assert_eq!(to_reply("a", RAW), Ok(Payload::raw("a")));
    assert_eq!(to_reply(&7, RAW), Ok(Payload { encoding: JSON, bytes: "7".into() }));
    let broken = BTreeMap::from([((1, 2), 3)]);
    assert_eq!(
        to_reply(&broken, JSON).unwrap_err().to_string(),
        "INTERNAL: the reply: cannot be written as json: key must be a string"
    );
}
