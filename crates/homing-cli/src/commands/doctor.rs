//! Why are nodes found, or not? Everything that a diagnosis says, for people or for scripts.

use homing::diagnosis::{
    Audible, Finding, LookState, Looked, Outlook, Probed, Reach, Severity, Tried,
};
use homing::{Diagnosis, Guard, Node};

use crate::args::DoctorArgs;
use crate::exit::Failure;
use crate::output::{Output, Paint};
use crate::progress::Waiting;
use crate::runtime;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::span;

/// Joins as a visitor, looks around, and prints what it came to. The outlook is the exit code.
pub(crate) fn run(args: &DoctorArgs, settings: &Settings, output: Output) -> Result<(), Failure> {
    runtime::run_alone(async {
        let mut signals = Signals::new()?;
        let diagnosis = signals.or(diagnosed(args, settings, output)).await?;
        if args.json {
            output.document(&diagnosis)?;
        } else {
            show(&diagnosis, output)?;
        }
        match diagnosis.outlook {
            Outlook::Well => Ok(()),
            outlook => Err(Failure::Outlook(outlook)),
        }
    })
}

async fn diagnosed(
    args: &DoctorArgs,
    settings: &Settings,
    output: Output,
) -> Result<Diagnosis, Failure> {
    let node = Node::join(settings.visitor()).await?;
    let waiting = Waiting::begin(output, "listening, and trying every address");
    let diagnosis = node.diagnose(args.timeout).await;
    drop(waiting);
    node.close().await;
    Ok(diagnosis?)
}

fn show(diagnosis: &Diagnosis, output: Output) -> Result<(), Failure> {
    let Diagnosis { node, sources, nodes, strangers, findings, .. } = diagnosis;
    let heading = format!("mesh {}, {}", node.mesh, guarded(diagnosis));
    output.line(output.painted(Paint::Bold, &heading))?;
    section(output, "where was looked", sources.is_empty())?;
    if !sources.is_empty() {
        let rows = sources.iter().map(|looked| (paint_of(looked), source_cells(looked))).collect();
        output.table(&["SOURCE", "PLACE", "HEARD", "WHAT CAME BACK"], rows)?;
    }
    section(output, "who was tried", nodes.is_empty())?;
    let rows: Vec<_> = nodes.iter().flat_map(rows_of).collect();
    if !rows.is_empty() {
        output.table(
            &["NODE", "FOUND", "BY", "ADDRESS", "VERDICT", "TIME", "WHAT CAME BACK"],
            rows,
        )?;
    }
    if !strangers.is_empty() {
        section(output, "who else was heard", false)?;
        let rows = strangers.iter().map(|one| (Paint::Dim, stranger_cells(one))).collect();
        output.table(&["MESH", "ID", "GUARD", "KEYS", "HEARD", "WHERE"], rows)?;
    }
    section(output, "what that means", findings.is_empty())?;
    findings.iter().try_for_each(|finding| show_finding(output, finding))?;
    let paint = match diagnosis.outlook {
        Outlook::Well => Paint::Green,
        Outlook::Warnings => Paint::Yellow,
        _ => Paint::Red,
    };
    output.line(format!("\n{}", output.painted(paint, &diagnosis.summary)))
}

/// What keeps strangers out, and so how far the node looks.
fn guarded(diagnosis: &Diagnosis) -> String {
    match diagnosis.node.guard {
        Guard::Keyed => {
            let keys: Vec<_> = diagnosis.keys.iter().map(ToString::to_string).collect();
            format!("keyed ({})", keys.join(", "))
        }
        Guard::Local => "local: no key, this host only".to_owned(),
        guard => format!("{guard}: no key, open to all"),
    }
}

fn section(output: Output, name: &str, is_empty: bool) -> Result<(), Failure> {
    let nothing = if is_empty { ": nothing" } else { "" };
    output.line(format!("\n{}", output.painted(Paint::Bold, &format!("{name}{nothing}"))))
}

fn paint_of(looked: &Looked) -> Paint {
    if looked.state == LookState::Failed { Paint::Yellow } else { Paint::Plain }
}

fn source_cells(looked: &Looked) -> Vec<String> {
    let heard = if looked.interface.is_some() || looked.heard > 0 {
        looked.heard.to_string()
    } else {
        "-".to_owned()
    };
    vec![looked.source.clone(), looked.place.clone(), heard, looked.said.clone()]
}

/// A row for each address; the node's name stands before the first.
fn rows_of(node: &Probed) -> Vec<(Paint, Vec<String>)> {
    let name = match (&node.name, &node.id) {
        (Some(name), _) => name.to_string(),
        (None, Some(id)) => id.short(),
        (None, None) => "?".to_owned(),
    };
    let row = |(number, tried): (usize, &Tried)| {
        let (name, found) = match number {
            0 => (name.clone(), node.found.clone()),
            _ => (String::new(), String::new()),
        };
        let time = tried.took_us.map_or_else(String::new, |micros| {
            span::show_micros(f64::from(u32::try_from(micros).unwrap_or(u32::MAX)))
        });
        let Tried { protocol, address, verdict, said, .. } = tried;
        let (by, address, said) = (protocol.to_string(), address.clone(), said.clone());
        (paint_of_reach(*verdict), vec![name, found, by, address, verdict.to_string(), time, said])
    };
    node.tried.iter().enumerate().map(row).collect()
}

fn paint_of_reach(verdict: Reach) -> Paint {
    match verdict {
        Reach::Reached => Paint::Green,
        Reach::NotTried => Paint::Dim,
        _ => Paint::Red,
    }
}

fn stranger_cells(stranger: &Audible) -> Vec<String> {
    let keys: Vec<_> = stranger.keys.iter().map(ToString::to_string).collect();
    let from = stranger.from.map_or_else(|| stranger.place.clone(), |ip| ip.to_string());
    vec![
        stranger.mesh.to_string(),
        stranger.id.to_string(),
        stranger.guard.to_string(),
        keys.join(" "),
        stranger.heard.clone(),
        from,
    ]
}

fn show_finding(output: Output, finding: &Finding) -> Result<(), Failure> {
    let Finding { severity, what, means, remedy, .. } = finding;
    let paint = match severity {
        Severity::Problem => Paint::Red,
        Severity::Warning => Paint::Yellow,
        _ => Paint::Dim,
    };
    output.line(format!("{} {what}", output.painted(paint, &format!("{severity:8}"))))?;
    output.line(format!("         {means}"))?;
    if remedy.is_empty() { Ok(()) } else { output.line(format!("         do: {remedy}")) }
}
