//! What of a Rust source is code, and what is comment?
//!
//! Just enough of the lexer to tell the two apart from literals, so that a rule that forbids a word does not trip over
//! a message that contains it.

/// Two views of one text, line for line.
#[derive(Debug, Default)]
pub(super) struct Views {
    /// Comments and literals are blank.
    pub(super) code: String,
    /// All but comments is blank.
    pub(super) comments: String,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

/// Splits a text. Text that is no Rust gives some views, not an error: the compiler complains better.
pub(super) fn split(text: &str) -> Views {
    let mut views = Views::default();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = token(rest).unwrap_or((Kind::Code, first.len_utf8()));
        let (piece, tail) = rest.split_at(length);
        views.push(kind, piece);
        rest = tail;
    }
    views
}

impl Views {
    fn push(&mut self, kind: Kind, piece: &str) {
        for char in piece.chars() {
            let blank = if char == '\n' { '\n' } else { ' ' };
            self.code.push(if kind == Kind::Code { char } else { blank });
            self.comments.push(if kind == Kind::Comment { char } else { blank });
        }
    }
}

/// The comment or literal that `rest` starts with, and its length in bytes.
fn token(rest: &str) -> Option<(Kind, usize)> {
    match rest.as_bytes() {
        [b'/', b'/', ..] => Some((Kind::Comment, rest.find('\n').unwrap_or(rest.len()))),
        [b'/', b'*', ..] => Some((Kind::Comment, block_comment(rest))),
        [b'"', ..] => Some((Kind::Literal, string(rest))),
        [b'r', b'"' | b'#', ..] => raw_string(rest).map(|length| (Kind::Literal, length)),
        [b'\'', ..] => char_literal(rest).map(|length| (Kind::Literal, length)),
        _ => None,
    }
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match &rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// `None` for a raw identifier.
fn raw_string(rest: &str) -> Option<usize> {
    let hashes = rest[1..].bytes().take_while(|&byte| byte == b'#').count();
    let inside = rest[1 + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inside.find(&end).map_or(inside.len(), |at| at + end.len());
    Some(rest.len() - inside.len() + length)
}

/// `None` for a lifetime or a label.
fn char_literal(rest: &str) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1);
    let (_, first) = chars.next()?;
    let (at, second) = chars.next()?;
    match (first, second) {
        ('\\', escaped) => {
            rest[at + escaped.len_utf8()..].find('\'').map(|end| at + escaped.len_utf8() + end + 1)
        }
        (_, '\'') => Some(at + 1),
        _ => None,
    }
}
