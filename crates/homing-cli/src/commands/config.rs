//! What is set, by whom, and why does it exist?

use serde::Serialize;

use crate::args::ConfigArgs;
use crate::exit::Failure;
use crate::output::{Output, Paint};
use crate::settings::Settings;
use homing::{Config, SetBy, SettingInfo};

/// A setting as scripts see it: what the program said is what was typed.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    value: &'a str,
    default: &'a str,
    set_by: &'a str,
    place: Option<&'a str>,
    variable: Option<&'a str>,
    flag: Option<&'a str>,
    why: &'a str,
}

/// Prints the settings of a node that would start now.
pub(crate) fn run(args: &ConfigArgs, settings: &Settings, output: Output) -> Result<(), Failure> {
    for name in &args.names {
        Config::find_setting(name).map_err(|bad| Failure::Usage(bad.problem().to_owned()))?;
    }
    let found = settings.member().settings();
    let mut found = found.map_err(|bad| Failure::Usage(bad.to_string()))?;
    found.retain(|setting| {
        args.names.is_empty() || args.names.iter().any(|name| is_of(setting, name))
    });
    let shown: Vec<Shown<'_>> = found.iter().map(shown).collect();
    if args.json {
        return output.document(&shown);
    }
    let row = |setting: &Shown<'_>| {
        let by = setting.place.unwrap_or(setting.set_by);
        let cells = [setting.name, setting.value, by, setting.default, setting.why];
        let paint = if setting.set_by == "default" { Paint::Dim } else { Paint::Plain };
        (paint, cells.map(str::to_owned).to_vec())
    };
    output.table(&["SETTING", "VALUE", "SET BY", "DEFAULT", "WHY"], shown.iter().map(row).collect())
}

fn is_of(setting: &SettingInfo, name: &str) -> bool {
    let rest = setting.name.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn shown(setting: &SettingInfo) -> Shown<'_> {
    let (set_by, place) = match setting.set_by {
        SetBy::Program => ("flag", setting.flag),
        other => (other.name(), setting.place.as_deref()),
    };
    Shown {
        name: setting.name,
        value: &setting.value,
        default: &setting.default,
        set_by,
        place,
        variable: setting.variable,
        flag: setting.flag,
        why: setting.why,
    }
}
