//! Where does fuzzing start? Writes bytes that are right into the corpus of each target: `seeds FOLDER`.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let corpus = PathBuf::from(env::args_os().nth(1).unwrap_or_else(|| "corpus".into()));
    let seeds = homing_core::fuzz::seeds().into_iter().chain(homing::access::fuzz::seeds());
    for (target, seeds) in seeds {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder)?;
        for (number, bytes) in seeds.iter().enumerate() {
            fs::write(folder.join(format!("seed-{number}")), bytes)?;
        }
    }
    Ok(())
}
