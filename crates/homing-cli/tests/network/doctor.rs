//! Does the doctor name what is in the way, where it is, and what to do?

use serde_json::Value;

use super::hosts::Host;
use super::mesh::run;

/// A finding as it should be: how bad and of which kind, about which place (`*`: any), what happened, and what to do. Of
/// the last two a part, or several with ` … ` between them.
pub(crate) type Named<'a> = [&'a str; 4];

/// What `homing doctor --json` says on a host with a key: how it ends, and all that is not well.
#[track_caller]
pub(crate) fn check(host: Host<'_>, arguments: &str, expect: (i32, &[Named<'_>])) -> Value {
    let (code, expect) = expect;
    let ran = run(host, format!("doctor --json --timeout 3s {arguments}").trim_end());
    let told: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
    let all = told["findings"].as_array().unwrap().iter();
    let bad: Vec<&Value> = all.filter(|found| found["severity"] != "ok").collect();
    let outlook = match code {
        0 => "well",
        3 => "warnings",
        _ => "alone",
    };
    assert_eq!((ran.code, &told["outlook"]), (Some(code), &outlook.into()), "{told:#}");
    for named in expect {
        assert!(bad.iter().any(|found| is(found, named)), "not {named:?} in {bad:#?}");
    }
    assert_eq!(bad.len(), expect.len(), "{bad:#?}\nnodes {:#}", told["nodes"]);
    told
}

/// What is told as good to know, by kind and place.
pub(crate) fn fine(told: &Value) -> Vec<(&str, &str)> {
    let all = told["findings"].as_array().unwrap().iter();
    let fine = all.filter(|found| found["severity"] == "ok");
    fine.map(|found| (found["kind"].as_str().unwrap(), found["place"].as_str().unwrap())).collect()
}

fn is(found: &Value, [kind, place, what, remedy]: &Named<'_>) -> bool {
    let said = |name: &str| found[name].as_str().unwrap();
    let says = |name: &str, parts: &str| parts.split(" … ").all(|part| said(name).contains(part));
    format!("{} {}", said("severity"), said("kind")) == *kind
        && (*place == "*" || said("place") == *place)
        && says("what", what)
        && !said("means").is_empty()
        && says("remedy", remedy)
}
