//! What can be done with the keys of a mesh?

mod rotate;

use crate::args::{KeyArgs, KeyIdArgs, KeyNewArgs, KeyRightArgs, KeyWhat};
use crate::exit::Failure;
use crate::output::Output;
use crate::settings::Settings;
use homing::registry::Right;
use homing::{Key, KeyFile};
use std::path::Path;

/// Does what was typed.
pub(crate) fn run(args: &KeyArgs, settings: &Settings, output: Output) -> Result<(), Failure> {
    match &args.what {
        KeyWhat::New(args) => make(args, output),
        KeyWhat::Id(args) => tell_ids(args, settings, output),
        KeyWhat::Right(args) => tell_right(args, output),
        KeyWhat::Rotate(args) => rotate::run(args, settings, output),
    }
}

fn tell_right(args: &KeyRightArgs, output: Output) -> Result<(), Failure> {
    let right = Right::of_identity(&args.file).map_err(anyhow::Error::new)?;
    output.line(right)
}

fn make(args: &KeyNewArgs, output: Output) -> Result<(), Failure> {
    let key = Key::generate();
    let Some(file) = &args.file else { return output.line(key) };
    let written = if args.force { KeyFile::replace(file, key) } else { KeyFile::create(file, key) };
    let written = written.map_err(|error| {
        if file.exists() && !args.force {
            Failure::Usage(format!("{error} (--force replaces it)"))
        } else {
            error.into()
        }
    })?;
    let file = written.path().display();
    output.note(format_args!(
        "key {} is in {file}: copy it to the other hosts, then, on each",
        ids(&written)
    ));
    output.note(format_args!("  export HOMING_KEY_FILE={}", absolute(written.path())));
    Ok(())
}

fn tell_ids(args: &KeyIdArgs, settings: &Settings, output: Output) -> Result<(), Failure> {
    let keys = match &args.file {
        Some(file) => KeyFile::read(file)?.keys(),
        None => settings.visitor().read_keys()?,
    };
    if keys.is_empty() {
        let how = "there is no key here: `homing key new FILE` makes one, --key-file or HOMING_KEY_FILE names it";
        return Err(Failure::Usage(how.to_owned()));
    }
    keys.iter().try_for_each(|key| output.line(key.id()))
}

fn ids(file: &KeyFile) -> String {
    file.keys().iter().map(|key| key.id().to_string()).collect::<Vec<_>>().join(", ")
}

/// For a person who is to type it in another directory.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}
