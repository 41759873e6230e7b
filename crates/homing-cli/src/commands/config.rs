//! What is set, by whom, and why does it exist?

use serde::Serialize;
use std::env;

use crate::args::{ConfigArgs, ScreenArgs};
use crate::exit::Failure;
use crate::logging;
use crate::output::{Output, Paint};
use crate::settings::Settings;
use homing::{Config, SetBy, SettingInfo};

/// A setting as scripts see it: what the program said is what was typed.
#[derive(Serialize)]
struct Shown {
    name: &'static str,
    value: String,
    default: String,
    set_by: &'static str,
    place: Option<String>,
    variable: Option<&'static str>,
    flag: Option<&'static str>,
    in_file: bool,
    why: &'static str,
}

/// Prints the settings of a node that would start now.
pub(crate) fn run(
    args: &ConfigArgs,
    screen: &ScreenArgs,
    settings: &Settings,
    output: Output,
) -> Result<(), Failure> {
    let own = own(screen, settings);
    for name in args.names.iter().filter(|name| own.iter().all(|one| one.name != **name)) {
        Config::find_setting(name).map_err(|bad| Failure::Usage(bad.problem().to_owned()))?;
    }
    let found = settings.member().settings();
    let found = found.map_err(|bad| Failure::Usage(bad.to_string()))?;
    warn_of_unheard(&found, &own, output);
    let mut shown: Vec<Shown> = found.iter().map(shown).chain(own).collect();
    shown.retain(|one| args.names.is_empty() || args.names.iter().any(|name| is_of(one, name)));
    if args.json {
        return output.document(&shown);
    }
    if args.names.is_empty() {
        return table(&shown, output);
    }
    shown.iter().try_for_each(|one| detail(one, output))
}

/// What is not of a node, and of this command alone.
fn own(screen: &ScreenArgs, settings: &Settings) -> Vec<Shown> {
    let told = |variable| env::var(variable).ok().filter(|told: &String| !told.is_empty());
    let typed = settings.config_file().map(|file| file.display().to_string());
    let file = Own { name: "config", variable: "HOMING_CONFIG", flag: "--config", default: "none" };
    let levels = (screen.verbose > 0).then(|| logging::level(screen.verbose).to_owned());
    let log = Own { name: "log", variable: logging::VARIABLE, flag: "--verbose", default: "off" };
    let color = Own { name: "color", variable: "NO_COLOR", flag: "--color", default: "auto" };
    let is_typed = screen.color.name() != color.default;
    vec![
        file.shown(
            (typed, told(file.variable)),
            "the file that says settings, and who may do what",
        ),
        log.shown((levels, told(log.variable)), "what is told on stderr while a node works"),
        color.shown(
            (
                is_typed.then(|| screen.color.name().to_owned()),
                told(color.variable).map(|_| "never".to_owned()),
            ),
            "when output is coloured: auto is on a terminal that knows colours",
        ),
    ]
}

/// A setting that no file can say.
struct Own {
    name: &'static str,
    variable: &'static str,
    flag: &'static str,
    default: &'static str,
}

impl Own {
    fn shown(&self, said: (Option<String>, Option<String>), why: &'static str) -> Shown {
        let (value, set_by, place) = match said {
            (Some(typed), _) => (typed, "flag", Some(self.flag)),
            (None, Some(told)) => (told, SetBy::Environment.name(), Some(self.variable)),
            (None, None) => (self.default.to_owned(), SetBy::Default.name(), None),
        };
        Shown {
            name: self.name,
            value,
            default: self.default.to_owned(),
            set_by,
            place: place.map(str::to_owned),
            variable: Some(self.variable),
            flag: Some(self.flag),
            in_file: false,
            why,
        }
    }
}

/// Variables that look like ours and are nobody's: what was meant by them does not hold, which is hard to see.
fn warn_of_unheard(found: &[SettingInfo], own: &[Shown], output: Output) {
    let known = found
        .iter()
        .filter_map(|one| one.variable)
        .chain(own.iter().filter_map(|one| one.variable));
    let known: Vec<&str> = known.collect();
    for (name, _) in env::vars_os() {
        let Some(name) = name.to_str().filter(|name| name.starts_with("HOMING_")) else { continue };
        if !known.contains(&name) && !OF_CALLS.contains(&name) {
            output.note(format_args!("{name} is set, and no setting has this variable"));
        }
    }
}

/// What programs of `homing serve --exec` are told of a call.
const OF_CALLS: [&str; 3] = ["HOMING_METHOD", "HOMING_CALLER", "HOMING_DEADLINE_MS"];

/// A row each. Of what is the default it is not said twice.
fn table(shown: &[Shown], output: Output) -> Result<(), Failure> {
    let row = |one: &Shown| {
        let by = one.place.as_deref().unwrap_or(one.set_by);
        let (paint, default) =
            if one.is_default() { (Paint::Dim, "-") } else { (Paint::Plain, one.default.as_str()) };
        (paint, [one.name, &one.value, by, default, one.why].map(str::to_owned).to_vec())
    };
    output.table(&["SETTING", "VALUE", "SET BY", "DEFAULT", "WHY"], shown.iter().map(row).collect())
}

/// A few lines each, and how it is said.
fn detail(one: &Shown, output: Output) -> Result<(), Failure> {
    let by = one.place.as_deref().unwrap_or(one.set_by);
    output.line(output.painted(Paint::Bold, &format!("{} = {}", one.name, one.value)))?;
    output.line(format_args!("  set by   {by}"))?;
    if !one.is_default() {
        output.line(format_args!("  default  {}", one.default))?;
    }
    output.line(format_args!("  why      {}", one.why))?;
    output.line(format_args!("  say it   {}", one.ways().join(", or ")))
}

impl Shown {
    fn is_default(&self) -> bool {
        self.set_by == SetBy::Default.name()
    }

    /// How it can be said.
    fn ways(&self) -> Vec<String> {
        let mut ways: Vec<String> =
            self.flag.into_iter().chain(self.variable).map(str::to_owned).collect();
        ways.extend(self.in_file.then(|| match self.name.split_once('.') {
            Some((table, key)) => format!("{key} under [{table}] in the file"),
            None => format!("{} in the file", self.name),
        }));
        ways
    }
}

fn is_of(one: &Shown, name: &str) -> bool {
    let rest = one.name.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn shown(setting: &SettingInfo) -> Shown {
    let (set_by, place) = match setting.set_by {
        SetBy::Program => ("flag", setting.flag.map(str::to_owned)),
        other => (other.name(), setting.place.clone()),
    };
    Shown {
        name: setting.name,
        value: setting.value.clone(),
        default: setting.default.clone(),
        set_by,
        place,
        variable: setting.variable,
        flag: setting.flag,
        in_file: setting.in_file,
        why: setting.why,
    }
}
