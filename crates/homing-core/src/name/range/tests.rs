//! Does a range mean here what it means to npm?

use proptest::prelude::*;

use super::*;

/// What each range below is asked about.
const VERSIONS: [&str; 19] = [
    "0.0.0",
    "0.0.3",
    "0.0.4",
    "0.1.0",
    "0.1.5",
    "0.2.0",
    "1.0.0-rc.1",
    "1.0.0",
    "1.2.0-beta.1",
    "1.2.0-beta.3",
    "1.2.0",
    "1.2.3",
    "1.2.4-beta.1",
    "1.3.0",
    "2.0.0-0",
    "2.0.0-rc.1",
    "2.0.0",
    "2.3.4",
    "3.0.0",
];

/// Ranges, and those of the versions above that npm's own `semver` (7.8.5, strict) finds in them.
const BY_NPM: &[(&str, &str)] = &[
    ("1.2.0", "1.2.0"),
    ("=1.2.0", "1.2.0"),
    ("v1.2.0", "1.2.0"),
    ("= v1.2.0", "1.2.0"),
    ("1", "1.0.0 1.2.0 1.2.3 1.3.0"),
    ("1.2", "1.2.0 1.2.3"),
    ("1.x", "1.0.0 1.2.0 1.2.3 1.3.0"),
    ("1.X.x", "1.0.0 1.2.0 1.2.3 1.3.0"),
    ("1.*", "1.0.0 1.2.0 1.2.3 1.3.0"),
    ("1.2.x", "1.2.0 1.2.3"),
    ("x", "0.0.0 0.0.3 0.0.4 0.1.0 0.1.5 0.2.0 1.0.0 1.2.0 1.2.3 1.3.0 2.0.0 2.3.4 3.0.0"),
    ("*", "0.0.0 0.0.3 0.0.4 0.1.0 0.1.5 0.2.0 1.0.0 1.2.0 1.2.3 1.3.0 2.0.0 2.3.4 3.0.0"),
    ("0", "0.0.0 0.0.3 0.0.4 0.1.0 0.1.5 0.2.0"),
    ("0.0", "0.0.0 0.0.3 0.0.4"),
    ("0.1", "0.1.0 0.1.5"),
    ("^1", "1.0.0 1.2.0 1.2.3 1.3.0"),
    ("^1.2", "1.2.0 1.2.3 1.3.0"),
    ("^1.2.0", "1.2.0 1.2.3 1.3.0"),
    ("^ 1.2.3", "1.2.3 1.3.0"),
    ("^v1.2", "1.2.0 1.2.3 1.3.0"),
    ("^0", "0.0.0 0.0.3 0.0.4 0.1.0 0.1.5 0.2.0"),
    ("^0.0", "0.0.0 0.0.3 0.0.4"),
    ("^0.1", "0.1.0 0.1.5"),
    ("^0.1.0", "0.1.0 0.1.5"),
    ("^0.0.3", "0.0.3"),
    ("^0.0.0", "0.0.0"),
    ("^1.2.0-beta.2", "1.2.0-beta.3 1.2.0 1.2.3 1.3.0"),
    ("^0.0.3-beta", "0.0.3"),
    ("^*", "0.0.0 0.0.3 0.0.4 0.1.0 0.1.5 0.2.0 1.0.0 1.2.0 1.2.3 1.3.0 2.0.0 2.3.4 3.0.0"),
    ("~1", "1.0.0 1.2.0 1.2.3 1.3.0"),
    ("~1.2", "1.2.0 1.2.3"),
    ("~1.2.0", "1.2.0 1.2.3"),
    ("~>1.2", "1.2.0 1.2.3"),
    ("~0", "0.0.0 0.0.3 0.0.4 0.1.0 0.1.5 0.2.0"),
    ("~0.1", "0.1.0 0.1.5"),
    ("~0.0.3", "0.0.3 0.0.4"),
    ("~1.2.0-beta.2", "1.2.0-beta.3 1.2.0 1.2.3"),
    ("~x", "0.0.0 0.0.3 0.0.4 0.1.0 0.1.5 0.2.0 1.0.0 1.2.0 1.2.3 1.3.0 2.0.0 2.3.4 3.0.0"),
    (">1", "2.0.0 2.3.4 3.0.0"),
    ("> 1.2", "1.3.0 2.0.0 2.3.4 3.0.0"),
    (">1.2.0", "1.2.3 1.3.0 2.0.0 2.3.4 3.0.0"),
    (">=1", "1.0.0 1.2.0 1.2.3 1.3.0 2.0.0 2.3.4 3.0.0"),
    (">=1.2", "1.2.0 1.2.3 1.3.0 2.0.0 2.3.4 3.0.0"),
    (">=1.2.0-beta", "1.2.0-beta.1 1.2.0-beta.3 1.2.0 1.2.3 1.3.0 2.0.0 2.3.4 3.0.0"),
    ("<1", "0.0.0 0.0.3 0.0.4 0.1.0 0.1.5 0.2.0"),
    ("<1.2", "0.0.0 0.0.3 0.0.4 0.1.0 0.1.5 0.2.0 1.0.0"),
    ("<1.2.0", "0.0.0 0.0.3 0.0.4 0.1.0 0.1.5 0.2.0 1.0.0"),
    (
        "<2.0.0-rc.2",
        "0.0.0 0.0.3 0.0.4 0.1.0 0.1.5 0.2.0 1.0.0 1.2.0 1.2.3 1.3.0 2.0.0-0 2.0.0-rc.1",
    ),
    ("<=1", "0.0.0 0.0.3 0.0.4 0.1.0 0.1.5 0.2.0 1.0.0 1.2.0 1.2.3 1.3.0"),
    ("<=1.2", "0.0.0 0.0.3 0.0.4 0.1.0 0.1.5 0.2.0 1.0.0 1.2.0 1.2.3"),
    ("<=1.2.0", "0.0.0 0.0.3 0.0.4 0.1.0 0.1.5 0.2.0 1.0.0 1.2.0"),
    (
        "<=2.0.0-rc.1",
        "0.0.0 0.0.3 0.0.4 0.1.0 0.1.5 0.2.0 1.0.0 1.2.0 1.2.3 1.3.0 2.0.0-0 2.0.0-rc.1",
    ),
    ("=1", "1.0.0 1.2.0 1.2.3 1.3.0"),
    ("=1.2", "1.2.0 1.2.3"),
    ("=*", "0.0.0 0.0.3 0.0.4 0.1.0 0.1.5 0.2.0 1.0.0 1.2.0 1.2.3 1.3.0 2.0.0 2.3.4 3.0.0"),
    (">*", ""),
    ("<*", ""),
    (">=*", "0.0.0 0.0.3 0.0.4 0.1.0 0.1.5 0.2.0 1.0.0 1.2.0 1.2.3 1.3.0 2.0.0 2.3.4 3.0.0"),
    ("<=x", "0.0.0 0.0.3 0.0.4 0.1.0 0.1.5 0.2.0 1.0.0 1.2.0 1.2.3 1.3.0 2.0.0 2.3.4 3.0.0"),
    (">=1 <3", "1.0.0 1.2.0 1.2.3 1.3.0 2.0.0 2.3.4"),
    (">= 1.2.0 < 1.3", "1.2.0 1.2.3"),
    ("> 2 < 1", ""),
    (">=1.2.0 <1.2.0", ""),
    ("^1 ^2", ""),
    ("1.2 - 2", "1.2.0 1.2.3 1.3.0 2.0.0 2.3.4"),
    ("1 - 1", "1.0.0 1.2.0 1.2.3 1.3.0"),
    ("1.0.0 - 2.0.0", "1.0.0 1.2.0 1.2.3 1.3.0 2.0.0"),
    ("0.1.0 - 1.2.0-beta.2", "0.1.0 0.1.5 0.2.0 1.0.0 1.2.0-beta.1"),
    ("1.x - 2.x", "1.0.0 1.2.0 1.2.3 1.3.0 2.0.0 2.3.4"),
    ("* - 1.2", "0.0.0 0.0.3 0.0.4 0.1.0 0.1.5 0.2.0 1.0.0 1.2.0 1.2.3"),
    ("1.2 - *", "1.2.0 1.2.3 1.3.0 2.0.0 2.3.4 3.0.0"),
    ("* - *", "0.0.0 0.0.3 0.0.4 0.1.0 0.1.5 0.2.0 1.0.0 1.2.0 1.2.3 1.3.0 2.0.0 2.3.4 3.0.0"),
    ("2.0.0 - 1.0.0", ""),
    ("1 || 2", "1.0.0 1.2.0 1.2.3 1.3.0 2.0.0 2.3.4"),
    ("1||3", "1.0.0 1.2.0 1.2.3 1.3.0 3.0.0"),
    ("0.0.3 || ^1.2 || >=3", "0.0.3 1.2.0 1.2.3 1.3.0 3.0.0"),
    (">=1.2.0-beta.2 <=1.2.0", "1.2.0-beta.3 1.2.0"),
    ("1.2.0+build.5", "1.2.0"),
    ("1.2.0-beta.1+b", "1.2.0-beta.1"),
    ("<1.0.0-0", "0.0.0 0.0.3 0.0.4 0.1.0 0.1.5 0.2.0"),
    (">=2.0.0-0 <2.0.0", "2.0.0-0 2.0.0-rc.1"),
    (
        ">=1.2.0-beta.1 <2.0.0-rc.2",
        "1.2.0-beta.1 1.2.0-beta.3 1.2.0 1.2.3 1.3.0 2.0.0-0 2.0.0-rc.1",
    ),
    (">2 <1 || 0.0.x", "0.0.0 0.0.3 0.0.4"),
    ("1.2.x-beta", "1.2.0 1.2.3"),
    ("<0.0.0-0", ""),
    ("* || 5", "0.0.0 0.0.3 0.0.4 0.1.0 0.1.5 0.2.0 1.0.0 1.2.0 1.2.3 1.3.0 2.0.0 2.3.4 3.0.0"),
    ("5 || 1.2.3 1.2", "1.2.3"),
];

fn found(range: &Range) -> String {
    let inside = |text: &&&str| range.contains(&text.parse().unwrap());
    VERSIONS.iter().filter(inside).copied().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_range_means_what_it_means_to_npm() {
    for (text, expect) in BY_NPM {
        let range: Range = text.parse().unwrap();
        assert_eq!(&found(&range), expect, "{text}");
        assert_eq!(range.to_string(), *text);
    }
}

#[track_caller]
fn check_refused(text: &str, expect: &str) {
    let error = text.parse::<Range>().map(|range| range.to_string()).unwrap_err();
    assert_eq!(error.to_string(), format!("range {text:?}: {expect}"));
}

#[test]
fn what_is_no_range_to_npm_is_refused_with_what_would_be_right() {
    let version = "a version or part of one, as in 1, 1.2, 1.x or 1.2.0";
    let end = "right is a space, || or the end";
    let zero = "a number has no leading zero";
    check_refused("1 foo", &format!("'f' at byte 2 is wrong, right is {version}"));
    check_refused("latest", &format!("'l' at byte 0 is wrong, right is {version}"));
    check_refused("1-2", &format!("'-' at byte 1 is wrong, {end}"));
    check_refused("1.2-beta", &format!("'-' at byte 3 is wrong, {end}"));
    check_refused("1.2.3.4", &format!("'.' at byte 5 is wrong, {end}"));
    check_refused("1.2.3beta", &format!("'b' at byte 5 is wrong, {end}"));
    check_refused("1.2.3š", &format!("'š' at byte 5 is wrong, {end}"));
    check_refused(">1<3", &format!("'<' at byte 2 is wrong, {end}"));
    check_refused("01", &format!("at byte 0, {zero}"));
    check_refused("1.2.0-01", &format!("at byte 6, {zero}"));
    check_refused("1.", &format!("it ends at byte 2, where {version} is missing"));
    check_refused("1..2", &format!("'.' at byte 2 is wrong, right is {version}"));
    check_refused("=>1", &format!("'>' at byte 1 is wrong, right is {version}"));
    check_refused("^^1", &format!("'^' at byte 1 is wrong, right is {version}"));
    check_refused("1 - >2", &format!("'>' at byte 4 is wrong, right is {version}"));
    check_refused("1 - 2 3", "'3' at byte 6 is wrong, right is || or the end");
    check_refused("1 1 - 2", &format!("'-' at byte 4 is wrong, right is {version}"));
    check_refused("1.x.3", "at byte 4, after an x comes no number, write 1.x for all of 1");
    check_refused("1.2.0-", "it ends at byte 6, where a letter, a digit or - is missing");
    check_refused("9007199254740992", "at byte 0, a number is at most 9007199254740991");
}

#[test]
fn where_npm_guesses_a_range_is_refused() {
    let version = "a version or part of one, as in 1, 1.2, 1.x or 1.2.0";
    check_refused("", &format!("it ends at byte 0, where {version} is missing"));
    check_refused("||", &format!("'|' at byte 0 is wrong, right is {version}"));
    check_refused("1 ||", &format!("it ends at byte 4, where {version} is missing"));
    check_refused("^=1", &format!("'=' at byte 1 is wrong, right is {version}"));
}

#[test]
fn a_range_is_bounded() {
    let longest = format!("{}1", "1 ".repeat(RANGE_MAX / 2 - 1));
    assert!(longest.parse::<Range>().is_ok());
    let error = format!("{longest} 1").parse::<Range>().unwrap_err();
    assert_eq!(error.problem(), &Problem::TooLong { length: RANGE_MAX + 1, max: RANGE_MAX });
}

#[test]
fn a_version_is_a_range_of_one() {
    for text in VERSIONS {
        let range = Range::from(text.parse::<Version>().unwrap());
        assert_eq!(found(&range), text);
        assert_eq!(text.parse(), Ok(range));
    }
}

#[test]
fn only_a_range_that_asks_for_nothing_is_any() {
    for (text, expect) in [
        ("*", true),
        ("x", true),
        ("5 || *", true),
        (">=0.0.0", false),
        ("<*", false),
        ("^1 *", false),
    ] {
        assert_eq!(text.parse::<Range>().unwrap().is_any(), expect, "{text}");
    }
}

proptest! {
    #[test]
    fn whatever_is_taken_reads_back_and_answers(
        text in prop_oneof![any::<String>(), "[0-2x*.^~<>=| v+a-]{0,24}", "([~^<>=]{0,2} ?[0-3](\\.[0-3x]){0,2}( - | |\\|\\|)){1,8}[0-9*]"],
    ) {
        if let Ok(range) = text.parse::<Range>() {
            prop_assert_eq!(range.to_string().parse(), Ok(range.clone()));
            prop_assert!(found(&range).len() <= VERSIONS.join(" ").len());
        }
    }
}
