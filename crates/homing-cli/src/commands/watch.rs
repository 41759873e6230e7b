//! What appears, and what goes?
//!
//! Events say *when* to look; what is told is the difference between two looks. So nothing is told twice, and a
//! listener that was too slow (`Missed`) still ends with the truth.

use serde::Serialize;
use std::collections::BTreeMap;

use crate::args::WatchArgs;
use crate::exit::Failure;
use crate::output::{Output, Paint};
use crate::runtime;
use crate::settings::Settings;
use crate::signals::Signals;
use homing::registry::Change;
use homing::{Event, Node, NodeState, PeerInfo, Record, RecordId};

/// Prints what is there, then a line for each change, until a signal or until nobody reads.
pub(crate) fn run(args: &WatchArgs, settings: &Settings, output: Output) -> Result<(), Failure> {
    runtime::run_alone(async {
        let mut signals = Signals::new()?;
        let node = signals.or(super::visit(settings)).await?;
        let outcome = signals.or(follow(&node, args, output)).await;
        node.close().await;
        outcome
    })
}

async fn follow(node: &Node, args: &WatchArgs, output: Output) -> Result<(), Failure> {
    let print = |news: &News| {
        if args.json {
            return output.object(news);
        }
        let (paint, line) = news.line();
        output.line(output.painted(paint, &line))
    };
    let mut events = node.events();
    let mut records = node.registry().watch();
    let mut seen = Picture::default();
    let mut is_synced = false;
    loop {
        let now = Picture::of(node).await;
        now.changes_since(&seen).iter().try_for_each(print)?;
        seen = now;
        if std::mem::take(&mut is_synced) {
            print(&News::Synced)?;
        }
        tokio::select! {
            event = events.next() => match event {
                None | Some(Event::Closed) => return Ok(()),
                Some(event) => told_by(&event).iter().try_for_each(print)?,
            },
            // What became of which record, the next look shows; the mark stands behind it.
            Some(change) = records.next() => is_synced = change == Change::Synced,
        }
    }
}

/// What there is to tell, and the JSON form of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum News {
    Joined {
        node: String,
        name: String,
    },
    Left {
        node: String,
        name: String,
    },
    Offered(OfferNews),
    Changed(OfferNews),
    Withdrawn(OfferNews),
    Registered(Box<Record>),
    Updated(Box<Record>),
    Freed(Box<Record>),
    /// All that was there has been told; from here on it is what changes. Once.
    Synced,
    Unreachable {
        node: Option<String>,
        tried: Vec<String>,
    },
    Error {
        message: String,
    },
}

/// One instance of one service.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
struct OfferNews {
    namespace: String,
    service: String,
    version: Option<String>,
    methods: Vec<String>,
    node: String,
    name: String,
    state: String,
}

impl News {
    fn line(&self) -> (Paint, String) {
        match self {
            Self::Joined { node, name } => (Paint::Green, format!("+ node {name} ({node})")),
            Self::Left { node, name } => (Paint::Red, format!("- node {name} ({node})")),
            Self::Offered(offer) => (Paint::Green, format!("+ {}", offer.line())),
            Self::Changed(offer) => (Paint::Yellow, format!("~ {}", offer.line())),
            Self::Withdrawn(offer) => (Paint::Red, format!("- {}", offer.line())),
            Self::Registered(record) => (Paint::Green, format!("+ {}", registered(record))),
            Self::Updated(record) => (Paint::Yellow, format!("~ {}", registered(record))),
            Self::Freed(record) => (Paint::Red, format!("- {}", registered(record))),
            Self::Synced => (
                Paint::Dim,
                "= all of the above was there already; from here on, changes".to_owned(),
            ),
            Self::Unreachable { node, tried } => {
                let who = node.as_deref().unwrap_or("a node");
                (Paint::Yellow, format!("! cannot reach {who}: {}", tried.join("; ")))
            }
            Self::Error { message } => (Paint::Red, format!("! {message}")),
        }
    }
}

/// `db@15.2.0 at 10.0.0.5:5432, registered (3f1c…-1-1)`
fn registered(record: &Record) -> String {
    let place = record.place().map_or_else(String::new, |place| format!(" at {place}"));
    let id = record.id.map_or_else(String::new, |id| format!(" ({id})"));
    format!("{}{place}, registered{id}", record.name())
}

impl OfferNews {
    fn line(&self) -> String {
        let version =
            self.version.as_ref().map_or_else(String::new, |version| format!("@{version}"));
        let methods = match &self.methods[..] {
            [] => String::new(),
            [one] if one.is_empty() => String::new(),
            [one] => format!("/{one}"),
            several => format!("/{{{}}}", several.join(",")),
        };
        let state = if self.state == "ready" { String::new() } else { format!(", {}", self.state) };
        format!("{}{version}{methods} on {} ({}){state}", self.service, self.name, self.node)
    }
}

/// Who was there and what was offered, at one look.
#[derive(Debug, Default)]
struct Picture {
    /// Name by id.
    nodes: BTreeMap<String, String>,
    /// By namespace, service, version, node.
    offers: BTreeMap<[String; 4], OfferNews>,
    /// What was registered by hand.
    records: BTreeMap<RecordId, Record>,
}

impl Picture {
    async fn of(node: &Node) -> Self {
        let is_member =
            |peer: &PeerInfo| matches!(peer.state, NodeState::Alive | NodeState::Suspect);
        let nodes = node.nodes().await.into_iter().filter(is_member);
        let mut picture = Self {
            nodes: nodes.map(|peer| (peer.id.to_string(), peer.name.to_string())).collect(),
            offers: BTreeMap::new(),
            records: BTreeMap::new(),
        };
        let records = node.registry().services().into_iter().filter(Record::is_registered);
        picture.records.extend(records.filter_map(|record| Some((record.id?, record))));
        for service in node.services() {
            for instance in &service.instances {
                let offer = OfferNews {
                    namespace: service.namespace.to_string(),
                    service: service.service.to_string(),
                    version: service.version.as_ref().map(ToString::to_string),
                    methods: service.methods.clone(),
                    node: instance.node.to_string(),
                    name: instance.node_name.to_string(),
                    state: instance.state.to_string(),
                };
                picture.offers.insert(offer.key(), offer);
            }
        }
        picture
    }

    /// In an order that reads well: who came, what changed, who went.
    fn changes_since(&self, before: &Self) -> Vec<News> {
        let mut news = Vec::new();
        for (node, name) in &self.nodes {
            if !before.nodes.contains_key(node) {
                news.push(News::Joined { node: node.clone(), name: name.clone() });
            }
        }
        for (key, offer) in &self.offers {
            match before.offers.get(key) {
                None => news.push(News::Offered(offer.clone())),
                Some(old) if old != offer => news.push(News::Changed(offer.clone())),
                Some(_) => {}
            }
        }
        self.records_since(before, &mut news);
        for (key, offer) in &before.offers {
            if !self.offers.contains_key(key) {
                news.push(News::Withdrawn(offer.clone()));
            }
        }
        for (node, name) in &before.nodes {
            if !self.nodes.contains_key(node) {
                news.push(News::Left { node: node.clone(), name: name.clone() });
            }
        }
        news
    }

    fn records_since(&self, before: &Self, news: &mut Vec<News>) {
        for (id, record) in &self.records {
            let record = || Box::new(record.clone());
            match before.records.get(id) {
                None => news.push(News::Registered(record())),
                Some(old) if *old != *record() => news.push(News::Updated(record())),
                Some(_) => {}
            }
        }
        let gone = before.records.iter().filter(|(id, _)| !self.records.contains_key(id));
        news.extend(gone.map(|(_, record)| News::Freed(Box::new(record.clone()))));
    }
}

impl OfferNews {
    fn key(&self) -> [String; 4] {
        let version = self.version.clone().unwrap_or_default();
        [self.namespace.clone(), self.service.clone(), version, self.node.clone()]
    }
}

/// What only an event knows.
fn told_by(event: &Event) -> Option<News> {
    match event {
        Event::Unreachable { node, tried } => Some(News::Unreachable {
            node: node.as_ref().map(ToString::to_string),
            tried: tried.iter().map(|(address, why)| format!("{address}: {why}")).collect(),
        }),
        Event::Error(status) => Some(News::Error { message: status.to_string() }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(service: &str, state: &str) -> OfferNews {
        OfferNews {
            namespace: "default".to_owned(),
            service: service.to_owned(),
            version: Some("1.2.0".to_owned()),
            methods: vec!["count".to_owned()],
            node: "00ff".to_owned(),
            name: "north".to_owned(),
            state: state.to_owned(),
        }
    }

    fn picture(nodes: &[&str], offers: &[OfferNews]) -> Picture {
        Picture {
            nodes: nodes.iter().map(|name| (format!("id-{name}"), (*name).to_owned())).collect(),
            offers: offers.iter().map(|offer| (offer.key(), offer.clone())).collect(),
            records: BTreeMap::new(),
        }
    }

    #[track_caller]
    fn check(before: &Picture, now: &Picture, expect: &[&str]) {
        let lines: Vec<String> =
            now.changes_since(before).iter().map(|news| news.line().1).collect();
        assert_eq!(lines, expect);
    }

    #[test]
    fn what_came_changed_and_went_is_told_once() {
        let nobody = picture(&[], &[]);
        let one = picture(&["north"], &[offer("words", "ready")]);
        let drains = picture(&["north"], &[offer("words", "draining")]);
        check(&nobody, &one, &["+ node north (id-north)", "+ words@1.2.0/count on north (00ff)"]);
        check(&one, &one, &[]);
        check(&one, &drains, &["~ words@1.2.0/count on north (00ff), draining"]);
        check(
            &drains,
            &nobody,
            &["- words@1.2.0/count on north (00ff), draining", "- node north (id-north)"],
        );
    }

    #[test]
    fn an_object_names_its_event() {
        let text = serde_json::to_string(&News::Withdrawn(offer("words", "ready"))).unwrap();
        assert!(text.starts_with("{\"event\":\"withdrawn\",\"namespace\":\"default\""), "{text}");
    }
}
