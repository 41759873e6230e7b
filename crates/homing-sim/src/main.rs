//! How is the simulator run? By seed, or on fresh ones for as long as there is time.
fn main() {}
