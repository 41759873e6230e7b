//! What may others do here, what does this node show them, and what of that changes with time?

use super::{Runtime, Said};
use crate::access::{AccessList, Audit, Gate, OwnToken};
use crate::config::AccessSettings;
use crate::error::ConfigError;
use crate::security::files::Seen;
use bytes::Bytes;
use homing_core::id::NodeId;
use homing_core::limits::{TOKEN_LEEWAY, TOKEN_POLL};
use homing_core::registry::Snapshot;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// What others may do here, and what this node shows to others.
pub(crate) struct Access {
    pub(crate) gate: Arc<Gate>,
    pub(crate) token: Option<OwnToken>,
    /// Whether somebody looks after what changes with time.
    is_watched: AtomicBool,
}

impl Access {
    /// As the settings say.
    ///
    /// # Errors
    /// The token or the audit log cannot be had.
    pub(super) fn new(
        settings: &AccessSettings,
        me: NodeId,
        snapshots: &watch::Sender<Arc<Snapshot>>,
    ) -> Result<Self, ConfigError> {
        let token = settings.token.as_ref().map(|source| {
            OwnToken::new(source)
                .map_err(|error| ConfigError::new("token", source, error.to_string()))
        });
        let audit = settings.audit.as_deref().map(|path| {
            Audit::start(path, snapshots.subscribe())
                .map_err(|error| ConfigError::new("audit", &path.display(), error.to_string()))
        });
        let gate = Gate::new(me, settings.issuers.clone(), audit.transpose()?);
        if settings.list.is_some() {
            gate.set_list(settings.list.clone());
        }
        let is_watched = AtomicBool::new(false);
        Ok(Self { gate: Arc::new(gate), token: token.transpose()?, is_watched })
    }

    fn changes_with_time(&self) -> bool {
        self.gate.has_list() || self.token.as_ref().is_some_and(OwnToken::is_renewed)
    }
}

impl Runtime {
    /// What this node shows to whom it talks to: its token, as it is now; empty where it has none.
    pub(crate) fn own_token(&self) -> Bytes {
        self.access.token.as_ref().map_or_else(Bytes::new, OwnToken::current)
    }

    /// What this node shows to everybody for the right to offer: its token, where nobody else can use it.
    pub(crate) fn shown_token(&self) -> Option<String> {
        self.access.token.as_ref()?.bound_to(self.me.id)
    }

    /// Another list decides from now on, also about the offers and topics that are known.
    pub(crate) fn set_access(self: &Arc<Self>, list: Option<AccessList>) {
        self.access.gate.set_list(list);
        self.topics.board.reconsider();
        self.say(Said::Reconsider);
        self.watch_access();
    }

    /// Looks after tokens that come and go, where there can be any: once is enough.
    pub(super) fn watch_access(self: &Arc<Self>) {
        if !self.access.changes_with_time() || self.access.is_watched.swap(true, Ordering::Relaxed)
        {
            return;
        }
        let runtime = Arc::clone(self);
        self.life.tasks.spawn_on(
            async move {
                let over = runtime.life.over.clone();
                tokio::select! {
                    () = over.cancelled() => {}
                    () = watch_tokens(&runtime) => {}
                }
            },
            &self.life.threads,
        );
    }
}

async fn watch_tokens(runtime: &Runtime) {
    let mut seen = Seen::default();
    let mut considered = Instant::now();
    loop {
        sleep(TOKEN_POLL).await;
        let token = runtime.access.token.as_ref();
        if token.is_some_and(|token| token.refresh(&mut seen)) {
            tracing::info!("the token was renewed");
            runtime.say(Said::Credentials);
            runtime.topics.outlets.look_again();
        }
        // Offers that stand by a token go with it.
        if runtime.access.gate.has_list() && considered.elapsed() >= TOKEN_LEEWAY {
            considered = Instant::now();
            runtime.say(Said::Reconsider);
        }
    }
}
