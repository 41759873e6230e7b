//! Letters about slots, byte by byte and at random.

use super::*;
use crate::wire::golden;
use proptest::prelude::*;

#[test]
fn the_bytes_of_letters_are_what_they_were() {
    let letter = |holder, numbers: &[u32]| Letter { holder, numbers: numbers.to_vec() };
    let all = [
        ("lease", letter(1, &[])),
        ("leased", letter(1, &[7])),
        ("renew", letter(300, &[0, 7, 300])),
    ];
    let lines: Vec<_> = all.iter().map(|(name, letter)| (*name, letter.encode())).collect();
    golden::check(include_str!("../../../testdata/wire/slots.txt"), &lines);
    for (_, letter) in all {
        assert_eq!(Letter::decode(&letter.encode()), Ok(letter));
    }
}

#[test]
fn more_slots_than_anybody_holds_are_refused_unread() {
    let mut bytes = vec![1];
    put_varint(&mut bytes, SLOTS_HELD_MAX as u64 + 1);
    assert_eq!(Letter::decode(&bytes), Err(Malformed("slots: too many")));
    let long = vec![0; SLOT_LETTER_MAX + 1];
    assert_eq!(Letter::decode(&long), Err(Malformed("letter: over its limit")));
}

#[test]
fn a_verb_reads_back_from_its_method() {
    for verb in Verb::ALL {
        assert_eq!(Verb::from_method(verb.method()), Some(verb));
    }
    assert_eq!(Verb::from_method("steal"), None);
}

proptest! {
    #[test]
    fn all_letters_read_back(holder: u64, numbers in proptest::collection::vec(any::<u32>(), 0..200)) {
        let letter = Letter { holder, numbers };
        prop_assert_eq!(Letter::decode(&letter.encode()), Ok(letter));
    }

    #[test]
    fn no_bytes_make_a_letter_panic(bytes: Vec<u8>) {
        let _ = Letter::decode(&bytes);
    }
}
