//! Is this wish granted? The list and the tokens of one node, asked in one place.

use super::audit::{Audit, Line};
use super::decisions::Decisions;
use super::issuer::Issuer;
use super::list::{AccessList, Asker, Verdict, Wish};
use super::token::{BadToken, Claims};
use arc_swap::ArcSwapOption;
use homing_core::authorize::{Action, Authorize, Who};
use homing_core::id::NodeId;
use homing_core::limits::{TOKEN_LEEWAY, TOKEN_MAX, TOKENS_MAX};
use homing_core::talk::{Code, Status};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

/// Grants or refuses what others want of a node.
pub(crate) struct Gate {
    me: NodeId,
    /// Whether there is a list: the one thing that a call to a node without one pays for.
    has_list: AtomicBool,
    list: ArcSwapOption<AccessList>,
    issuers: Vec<Issuer>,
    verified: Mutex<HashMap<String, Arc<Claims>>>,
    decisions: Mutex<Decisions<Decision>>,
    refused: Refused,
    audit: Option<Audit>,
    now: fn() -> SystemTime,
}

/// How often a node has refused what others wanted, by the reason. Numbers only grow.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct RefusalStats {
    /// No rule allows it.
    pub denied: u64,
    /// A token did not count, or was missing where one could have helped.
    pub unauthenticated: u64,
    /// Lines that are not in the audit log, for there were too many.
    pub unlogged: u64,
}

#[derive(Default)]
struct Refused {
    denied: AtomicU64,
    unauthenticated: AtomicU64,
}

/// What is remembered of a question.
type Decision = Result<Option<Arc<Claims>>, Arc<Refusal>>;

/// Why something is refused, and to whom.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: Status,
    subject: Option<String>,
}

/// Whether an answer was thought about just now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Freshness {
    Fresh,
    Remembered,
}

impl Gate {
    /// Of a node without a list and without issuers: everybody may do everything.
    pub(crate) fn new(me: NodeId, issuers: Vec<Issuer>, audit: Option<Audit>) -> Self {
        Self {
            me,
            has_list: AtomicBool::new(false),
            list: ArcSwapOption::empty(),
            issuers,
            verified: Mutex::default(),
            decisions: Mutex::new(Decisions::new()),
            refused: Refused::default(),
            audit,
            now: SystemTime::now,
        }
    }

    /// From now on this list decides; without one, everybody may do everything.
    pub(crate) fn set_list(&self, list: Option<AccessList>) {
        let mut decisions = self.decisions.lock();
        self.has_list.store(list.is_some(), Ordering::Release);
        self.list.store(list.map(Arc::new));
        decisions.forget();
    }

    pub(crate) fn has_list(&self) -> bool {
        self.has_list.load(Ordering::Relaxed)
    }

    /// Whether a call may be made; with what the caller's token says, if it counts and the caller speaks for itself.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn check_call(
        &self,
        who: &Who<'_>,
        (namespace, name): (&str, &str),
        node_name: impl FnOnce() -> Option<String>,
    ) -> Result<Option<Arc<Claims>>, Status> {
        if !self.has_list.load(Ordering::Relaxed) && who.token.is_none() {
            return Ok(None);
        }
        let wish = Wish { action: Action::Call, namespace, name };
        let (decision, _) = self.decide(who, &wish);
        decision.map_err(|refusal| {
            self.tell(who, &wish, &refusal, node_name());
            refusal.status.clone()
        })
    }

    /// Whether somebody may publish to a topic.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn check_publish(
        &self,
        who: &Who<'_>,
        (namespace, name): (&str, &str),
        node_name: impl FnOnce() -> Option<String>,
    ) -> Result<(), Status> {
        if !self.has_list.load(Ordering::Relaxed) {
            return Ok(());
        }
        let wish = Wish { action: Action::Publish, namespace, name };
        let (decision, freshness) = self.decide(who, &wish);
        decision.map(drop).map_err(|refusal| {
            // Messages come again and again; the same answer is told once.
            if freshness == Freshness::Fresh {
                self.tell(who, &wish, &refusal, node_name());
            }
            refusal.status.clone()
        })
    }

    pub(crate) fn stats(&self) -> RefusalStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        RefusalStats {
            denied: read(&self.refused.denied),
            unauthenticated: read(&self.refused.unauthenticated),
            unlogged: self.audit.as_ref().map_or(0, Audit::unlogged),
        }
    }

    fn decide(&self, who: &Who<'_>, wish: &Wish<'_>) -> (Decision, Freshness) {
        let era = {
            let decisions = self.decisions.lock();
            if let Some(decision) = decisions.find(who, wish, self.now) {
                return (decision, Freshness::Remembered);
            }
            decisions.era()
        };
        let (decision, until) = self.consider(who, wish);
        if who.token.is_none_or(|token| token.len() <= TOKEN_MAX) {
            self.decisions.lock().note(era, (who, wish), until, decision.clone());
        }
        (decision, Freshness::Fresh)
    }

    /// Decides, and says until when that holds.
    fn consider(&self, who: &Who<'_>, wish: &Wish<'_>) -> (Decision, Option<SystemTime>) {
        let claims = who.token.map(|token| self.claims(who.node, wish.action, token)).transpose();
        let until = match &claims {
            Ok(claims) => claims.as_ref().map(|claims| claims.expires() + TOKEN_LEEWAY),
            Err(BadToken::NotYet(from)) => from.checked_sub(TOKEN_LEEWAY),
            Err(_) => None,
        };
        let shown = claims.as_ref().ok().and_then(Option::as_deref);
        let verdict = match &*self.list.load() {
            None => Verdict::Allowed,
            Some(_) if who.node == self.me && who.origin.is_none() => Verdict::Allowed,
            Some(list) => {
                let asker = Asker { node: who.node, origin: who.origin, claims: shown };
                list.judge(&asker, wish)
            }
        };
        let refused = |status| {
            let subject = shown.map(|claims| claims.subject().to_owned());
            Err(Arc::new(Refusal { status, subject }))
        };
        let decision = match (verdict, claims.clone()) {
            // The token is the bridge's: it says nothing of who is behind it.
            (Verdict::Allowed, _) if who.origin.is_some() => Ok(None),
            (Verdict::Allowed, claims) => Ok(claims.unwrap_or_default()),
            (_, Err(bad)) => refused(bad_token(who, wish, &bad)),
            (Verdict::WithToken, Ok(None)) => refused(no_token(who, wish)),
            (Verdict::WithToken | Verdict::Denied, Ok(_)) => refused(denied(who, wish, shown)),
        };
        (decision, until)
    }

    /// What a token says, if it counts for who shows it.
    fn claims(&self, node: NodeId, action: Action, token: &str) -> Result<Arc<Claims>, BadToken> {
        let now = (self.now)();
        let known = self.verified.lock().get(token).cloned();
        let claims = if let Some(claims) = known {
            claims.check_time(now)?;
            claims
        } else {
            let claims = Arc::new(Claims::verify(token, &self.issuers, now)?);
            let mut verified = self.verified.lock();
            if verified.len() >= TOKENS_MAX {
                verified.clear();
            }
            verified.insert(token.to_owned(), Arc::clone(&claims));
            claims
        };
        match (claims.node(), action) {
            (Some(bound), _) if bound != node => Err(BadToken::OtherNode(bound)),
            // Everybody can read the record that it came in.
            (None, Action::Offer | Action::Subscribe) => Err(BadToken::Unbound),
            (Some(_) | None, _) => Ok(claims),
        }
    }

    fn tell(&self, who: &Who<'_>, wish: &Wish<'_>, refusal: &Refusal, node_name: Option<String>) {
        let counter = match refusal.status.code {
            Code::Unauthenticated => &self.refused.unauthenticated,
            _ => &self.refused.denied,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(node = %who.node, status = %refusal.status, "refused");
        if let Some(audit) = &self.audit {
            audit.tell(Line {
                time: (self.now)(),
                node: who.node,
                node_name,
                origin: who.origin.map(str::to_owned),
                subject: refusal.subject.clone(),
                action: wish.action,
                namespace: wish.namespace.to_owned(),
                name: wish.name.to_owned(),
                code: refusal.status.code,
                why: refusal.status.message.clone(),
            });
        }
    }
}

impl Authorize for Gate {
    fn authorize(
        &self,
        who: &Who<'_>,
        action: Action,
        namespace: &str,
        name: &str,
    ) -> Result<(), Status> {
        if !self.has_list() {
            return Ok(());
        }
        let wish = Wish { action, namespace, name };
        let (decision, freshness) = self.decide(who, &wish);
        decision.map(drop).map_err(|refusal| {
            // Records are asked about again and again; the same answer is told once.
            let is_in_records =
                matches!(action, Action::Offer | Action::Subscribe | Action::Publish);
            if !is_in_records || freshness == Freshness::Fresh {
                self.tell(who, &wish, &refusal, None);
            }
            refusal.status.clone()
        })
    }
}

fn bad_token(who: &Who<'_>, wish: &Wish<'_>, bad: &BadToken) -> Status {
    let message = format!("{} may not {}: its token does not count: {bad}", named(who), told(wish));
    Status::not_started(Code::Unauthenticated, message)
}

fn no_token(who: &Who<'_>, wish: &Wish<'_>) -> Status {
    let how = match wish.action {
        Action::Offer | Action::Subscribe => {
            "one that is bound to it, by --token-file or HOMING_TOKEN"
        }
        _ => "one by --token-file or HOMING_TOKEN",
    };
    let message = format!("{} may not {} without a token: give {how}", named(who), told(wish));
    Status::not_started(Code::Unauthenticated, message)
}

fn denied(who: &Who<'_>, wish: &Wish<'_>, claims: Option<&Claims>) -> Status {
    let subject = claims.map_or_else(String::new, |claims| format!(" ({})", claims.subject()));
    let message = format!(
        "{}{subject} may not {}: whoever runs the node that says so has to allow it in its access list",
        named(who),
        told(wish)
    );
    Status::not_started(Code::PermissionDenied, message)
}

fn named(who: &Who<'_>) -> String {
    who.origin.map_or_else(
        || format!("node {}", who.node.short()),
        |origin| format!("{origin} behind node {}", who.node.short()),
    )
}

fn told(wish: &Wish<'_>) -> String {
    let Wish { action, namespace, name } = wish;
    let preposition = match action {
        Action::Publish | Action::Subscribe | Action::Submit => " to",
        Action::Work => " on",
        _ => "",
    };
    format!("{}{preposition} {name} in namespace {namespace}", action.name())
}

#[cfg(test)]
mod tests;
