//! Who plays in the demo? Two services and two callers, a process each; and who of them is next to go.

use anyhow::anyhow;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::caller::Report;
use super::tell;
use crate::children::{Child, PrivateMesh};
use crate::exit::Failure;
use crate::output::{Output, Paint};

const OFFER: &str = "words@1.0.0/count";
const PROGRAM: &str = "wc -w";
const ADDRESS: &str = "words@1/count";
const SENTENCE: &str = "four words of input";
const EVERY: &str = "100ms";
/// In the order of their appearance; then they come again with a number.
const SERVICES: [&str; 4] = ["north", "south", "west", "east"];
const CALLERS: [&str; 2] = ["alice", "bob"];
/// Reports that wait to be shown; beyond, the callers' pipes fill up and they wait.
const REPORTS_MAX: usize = 256;

/// All processes of the demo.
pub(super) struct Cast {
    services: Vec<(String, Child)>,
    /// Services there have been, the dead included.
    appeared: usize,
    reports: mpsc::Receiver<(&'static str, Report)>,
    /// One task for each caller: it owns the process and passes on what it says.
    callers: JoinSet<()>,
    mesh: PrivateMesh,
}

impl Cast {
    /// Starts everybody, and waits until the services are there.
    pub(super) async fn gathered(output: Output) -> Result<Self, Failure> {
        let mesh = PrivateMesh::new("demo")?;
        let (sender, reports) = mpsc::channel(REPORTS_MAX);
        let mut cast =
            Self { services: Vec::new(), appeared: 0, reports, callers: JoinSet::new(), mesh };
        tell(
            output,
            Paint::Bold,
            &format!("each service: homing serve {OFFER} --exec '{PROGRAM}'"),
        )?;
        cast.add_service(output).await?;
        cast.add_service(output).await?;
        for name in CALLERS {
            cast.add_caller(name, sender.clone(), output)?;
        }
        Ok(cast)
    }

    /// What the next call of any caller came to. Safe to give up.
    pub(super) async fn report(&mut self) -> Result<(&'static str, Report), Failure> {
        self.reports.recv().await.ok_or_else(|| anyhow!("the callers of the demo are gone").into())
    }

    /// With all services there, kills the eldest; with one missing, replaces it.
    pub(super) async fn next_scene(&mut self, output: Output) -> Result<(), Failure> {
        if self.services.len() < 2 {
            return self.add_service(output).await;
        }
        let (name, mut child) = self.services.remove(0);
        child.kill().await?;
        tell(output, Paint::Red, &format!("- {name:<7} process {} killed (SIGKILL)", child.id()))
    }

    /// Ends all processes, and waits until they are gone.
    pub(super) async fn dismissed(mut self) {
        self.callers.shutdown().await;
        for (_, child) in &mut self.services {
            let _ = child.kill().await; // it is killed again when it is dropped
        }
    }

    async fn add_service(&mut self, output: Output) -> Result<(), Failure> {
        let name = service_name(self.appeared);
        let arguments =
            ["serve", OFFER, "--exec", PROGRAM, "--repeatable", "--while-stdin", "--name", &name];
        let mut child = self.mesh.spawn(&arguments)?;
        child.serving().await?;
        self.appeared += 1;
        tell(output, Paint::Green, &format!("+ {name:<7} process {} serves", child.id()))?;
        self.services.push((name, child));
        Ok(())
    }

    fn add_caller(
        &mut self,
        name: &'static str,
        reports: mpsc::Sender<(&'static str, Report)>,
        output: Output,
    ) -> Result<(), Failure> {
        let arguments = ["demo-caller", ADDRESS, SENTENCE, "--every", EVERY, "--name", name];
        let mut child = self.mesh.spawn(&arguments)?;
        let line = format!("+ {name:<7} process {} calls {ADDRESS} every {EVERY}", child.id());
        tell(output, Paint::Green, &line)?;
        self.callers.spawn(async move {
            while let Some(line) = child.line().await {
                let Ok(report) = serde_json::from_str(&line) else { continue };
                if reports.send((name, report)).await.is_err() {
                    return;
                }
            }
        });
        Ok(())
    }
}

fn service_name(nth: usize) -> String {
    let name = SERVICES[nth % SERVICES.len()];
    match nth / SERVICES.len() {
        0 => name.to_owned(),
        again => format!("{name}-{}", again + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_services_have_one_name() {
        let names: Vec<String> = [0, 3, 4, 9].into_iter().map(service_name).collect();
        assert_eq!(names, ["north", "east", "north-2", "south-3"]);
    }
}
