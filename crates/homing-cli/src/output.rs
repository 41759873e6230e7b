//! What does a person, or a script, get to see? The only place that prints.
//!
//! Results go to stdout, everything else to stderr. When nobody reads stdout any more the command is over
//! ([`Failure::OutputClosed`]); when nobody reads stderr it goes on.

use anyhow::Context as _;
use comfy_table::{Table, presets};
use serde::Serialize;
use std::env;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use crate::args::ColorChoice;
use crate::exit::Failure;

/// The screen, or whatever stdout and stderr are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    stdout: Style,
    stderr: Style,
}

/// How something stands out on a terminal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Paint {
    /// As everything else.
    Plain,
    /// Headings.
    Bold,
    /// What matters less.
    Dim,
    /// What appears or works.
    Green,
    /// What goes or fails.
    Red,
    /// What is in between.
    Yellow,
    /// One of several equals, to tell them apart.
    Nth(usize),
}

#[derive(Clone, Copy, Debug)]
enum Style {
    Plain,
    Colored,
}

#[expect(clippy::unused_self, reason = "who has no `Output` does not print")]
impl Output {
    /// Looks once at the terminal and at `NO_COLOR`.
    pub(crate) fn new(choice: ColorChoice) -> Self {
        let style = |is_terminal: bool| match choice {
            ColorChoice::Always => Style::Colored,
            ColorChoice::Auto if is_terminal && terminal_has_colors() => Style::Colored,
            ColorChoice::Auto | ColorChoice::Never => Style::Plain,
        };
        Self {
            stdout: style(io::stdout().is_terminal()),
            stderr: style(io::stderr().is_terminal()),
        }
    }

    /// `text` for stdout, painted where stdout has colours.
    pub(crate) fn painted(self, paint: Paint, text: &str) -> String {
        self.stdout.painted(paint, text)
    }

    /// One line of a result.
    pub(crate) fn line(self, line: impl Display) -> Result<(), Failure> {
        write_out(|out| writeln!(out, "{line}"))
    }

    /// A reply: exactly these bytes, and a newline only where a person would miss it.
    pub(crate) fn reply(self, bytes: &[u8]) -> Result<(), Failure> {
        let missed = io::stdout().is_terminal() && bytes.last().is_some_and(|last| *last != b'\n');
        write_out(|out| {
            out.write_all(bytes)?;
            if missed { writeln!(out) } else { Ok(()) }
        })
    }

    /// An item of a stream: these bytes, as a line, at once.
    pub(crate) fn item(self, bytes: &[u8]) -> Result<(), Failure> {
        write_out(|out| {
            out.write_all(bytes)?;
            if bytes.last() == Some(&b'\n') { Ok(()) } else { writeln!(out) }
        })
    }

    /// A JSON document, for `--json` of a listing.
    pub(crate) fn document(self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).context("cannot write JSON")?;
        self.line(text)
    }

    /// One JSON object on a line of its own, for `--json` of what does not end.
    pub(crate) fn object(self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(value).context("cannot write JSON")?;
        self.line(text)
    }

    /// A table for people: a header, and rows of equal length with how they stand out.
    pub(crate) fn table(
        self,
        header: &[&str],
        rows: Vec<(Paint, Vec<String>)>,
    ) -> Result<(), Failure> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(header.to_vec());
        let mut paints = vec![Paint::Bold];
        for (paint, cells) in rows {
            paints.push(paint);
            table.add_row(cells);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        table
            .lines()
            .zip(paints)
            .try_for_each(|(line, paint)| self.line(self.stdout.painted(paint, line.trim_end())))
    }

    /// Something to know that is not the result; to stderr.
    pub(crate) fn note(self, text: impl Display) {
        tell(&text.to_string());
    }

    /// Why it failed; to stderr. Says nothing when somebody ended us on purpose.
    pub(crate) fn failure(self, failure: &Failure) {
        if failure.is_worth_telling() {
            let word = match failure {
                Failure::Mesh(_) | Failure::Nowhere(..) | Failure::Partly(..) => String::new(),
                _ => self.stderr.painted(Paint::Red, "error: "),
            };
            tell(&format!("{word}{failure}"));
        }
    }

    /// Whether a person sees stderr, so that progress is worth showing.
    pub(crate) fn is_watched(self) -> bool {
        io::stderr().is_terminal()
    }
}

impl Style {
    fn painted(self, paint: Paint, text: &str) -> String {
        let number = match (self, paint) {
            (Self::Plain, _) | (_, Paint::Plain) => return text.to_owned(),
            (Self::Colored, Paint::Bold) => 1,
            (Self::Colored, Paint::Dim) => 2,
            (Self::Colored, Paint::Red) => 31,
            (Self::Colored, Paint::Green) => 32,
            (Self::Colored, Paint::Yellow) => 33,
            (Self::Colored, Paint::Nth(nth)) => [36, 35, 33, 34, 32][nth % 5],
        };
        format!("\x1b[{number}m{text}\x1b[0m")
    }
}

fn terminal_has_colors() -> bool {
    let says_no = |name, no: fn(&str) -> bool| env::var(name).is_ok_and(|value| no(&value));
    !says_no("NO_COLOR", |value| !value.is_empty()) && !says_no("TERM", |value| value == "dumb")
}

fn write_out(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    write(&mut out).and_then(|()| out.flush()).map_err(Failure::writing)
}

/// A closed stderr must not end a service.
fn tell(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_output_has_no_escapes() {
        assert_eq!(Style::Plain.painted(Paint::Red, "x"), "x");
        assert_eq!(Style::Colored.painted(Paint::Plain, "x"), "x");
        assert_eq!(Style::Colored.painted(Paint::Red, "x"), "\x1b[31mx\x1b[0m");
    }
}
