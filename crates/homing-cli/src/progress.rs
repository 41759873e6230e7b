//! What does a person see who waits? After a second a line on stderr that moves; scripts see nothing.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;
use tokio::task::AbortHandle;

use crate::output::Output;

/// Before that there is nothing to see: what is soon done would only flicker.
const SOON: Duration = Duration::from_secs(1);

/// Between two pictures of the line.
const STEP: Duration = Duration::from_millis(100);

/// A wait; dropping it takes the line away.
pub(crate) struct Waiting(Option<AbortHandle>);

impl Waiting {
    /// Begins, in a runtime. Nothing is shown where nobody watches.
    pub(crate) fn begin(output: Output, what: &'static str) -> Self {
        let shown = output.is_watched().then(|| tokio::spawn(show(what)).abort_handle());
        Self(shown)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(shown) = &self.0 {
            shown.abort();
        }
    }
}

/// The line, until the task is aborted.
async fn show(what: &'static str) {
    tokio::time::sleep(SOON).await;
    let style =
        ProgressStyle::with_template("{spinner} {msg} {elapsed}").expect("a template of ours");
    let line = Line(ProgressBar::new_spinner().with_style(style).with_message(what));
    loop {
        line.0.tick();
        tokio::time::sleep(STEP).await;
    }
}

/// Leaves no trace on the screen.
struct Line(ProgressBar);

impl Drop for Line {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
