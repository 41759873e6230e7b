//! Where does the simulator speak? The one file that may print.

/// Says a line of the result on standard output.
#[expect(clippy::print_stdout, reason = "this file is where output goes")]
pub fn say(text: &str) {
    println!("{text}");
}
