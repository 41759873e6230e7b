//! Where does xtask speak? The one file that may print.

/// Says a line of the result on standard output.
#[expect(clippy::print_stdout, reason = "this file is where output goes")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// Says what went wrong, on standard error, as the last line.
pub(crate) fn complain(text: &str) {
    eprintln!("{text}");
}
