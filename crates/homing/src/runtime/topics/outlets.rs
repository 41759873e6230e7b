//! Which lanes does this node publish in?

use super::outlet::{self, OutletCell, Stage};
use crate::runtime::Runtime;
use homing_core::limits::PUBLISH_LAST_WAIT;
use homing_core::name::Namespace;
use homing_core::topics::LaneName;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::timeout;

/// The outlets of a node: one for each lane of others, and of its own, that it publishes in.
#[derive(Default)]
pub(crate) struct Outlets {
    cells: Mutex<BTreeMap<LaneName, Arc<OutletCell>>>,
}

impl Outlets {
    /// The outlet of a lane: the one there is, or a new one.
    pub(super) fn of(
        &self,
        runtime: &Arc<Runtime>,
        name: LaneName,
        namespace: &Namespace,
    ) -> Arc<OutletCell> {
        let mut cells = self.cells.lock();
        if let Some(cell) = cells.get(&name).filter(|cell| !cell.has_ended()) {
            return Arc::clone(cell);
        }
        let cell = OutletCell::new(name, namespace.clone());
        cells.insert(name, Arc::clone(&cell));
        let (node, served) = (Arc::clone(runtime), Arc::clone(&cell));
        let sender = async move {
            tokio::select! {
                () = outlet::run(&node, &served) => {}
                () = node.over() => {}
            }
            // However it ended: somebody may wait for what is in it.
            served.enter(Stage::Over);
            node.topics.outlets.forget(&served);
        };
        runtime.life.tasks.spawn_on(sender, &runtime.life.threads);
        cell
    }

    pub(super) fn forget(&self, cell: &Arc<OutletCell>) {
        let mut cells = self.cells.lock();
        if cells.get(&cell.name).is_some_and(|known| Arc::ptr_eq(known, cell)) {
            cells.remove(&cell.name);
        }
    }

    /// All there are.
    pub(super) fn all(&self) -> Vec<Arc<OutletCell>> {
        self.cells.lock().values().cloned().collect()
    }

    /// Who listens is another set of nodes now: streams to those that are gone end.
    pub(crate) fn look_again(&self) {
        for cell in self.all() {
            cell.nudge();
        }
    }

    /// Sends what was published, and ends.
    pub(crate) async fn finish(&self) {
        let cells = self.all();
        for cell in &cells {
            cell.close();
        }
        let all_over = async {
            for cell in cells {
                cell.is_over().await;
            }
        };
        // What did not get through by then is lost, as with any message of which a link's end cannot be told.
        let _ = timeout(2 * PUBLISH_LAST_WAIT, all_over).await;
    }
}
