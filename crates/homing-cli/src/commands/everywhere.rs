//! Which nodes of whatever mesh can this host hear? Those of a mesh whose key is held are asked for the whole of it.

use std::collections::BTreeMap;

use homing::diagnosis::Audible;
use homing::{Guard, MeshName, Node, NodeState, PeerInfo, TransportAddr};
use serde::Serialize;
use tokio::time::timeout;

use super::SYNC_TIME;
use crate::args::NodesArgs;
use crate::exit::Failure;
use crate::output::{Output, Paint};
use crate::progress::Waiting;
use crate::settings::Settings;

/// Addresses of a mesh that are tried: one node that answers tells of all.
const PLACES: usize = 8;

/// A mesh that is heard, and who of it.
#[derive(Debug, Serialize)]
pub(super) struct Found {
    mesh: String,
    guard: Guard,
    /// Whether a key of it is held here.
    held: bool,
    /// All of its nodes, where one is held.
    nodes: Vec<PeerInfo>,
    /// Those that were heard.
    heard: Vec<Audible>,
}

/// Listens, and asks those meshes for their nodes that let us in.
pub(super) async fn listen(
    args: &NodesArgs,
    settings: &Settings,
    output: Output,
) -> Result<Vec<Found>, Failure> {
    let node = Node::join(settings.visitor()).await?;
    let _waiting = Waiting::begin(output, "listening to every mesh");
    let audible = node.audible(args.timeout).await;
    node.close().await;
    let mut meshes: BTreeMap<(MeshName, &str), Vec<Audible>> = BTreeMap::new();
    for one in audible {
        meshes.entry((one.mesh.clone(), one.guard.name())).or_default().push(one);
    }
    let mut all = Vec::new();
    for ((mesh, _), heard) in meshes {
        let guard = heard[0].guard;
        let held = heard.iter().any(|one| one.held);
        let nodes = if held { nodes_of(settings, &mesh, &heard).await } else { Vec::new() };
        all.push(Found { mesh: mesh.to_string(), guard, held, nodes, heard });
    }
    Ok(all)
}

/// The nodes of a mesh, ourselves left out; none where it does not let us in after all.
async fn nodes_of(settings: &Settings, mesh: &MeshName, heard: &[Audible]) -> Vec<PeerInfo> {
    let mut config = settings.visitor_of(mesh, heard[0].guard);
    // Found once, they need not be looked for again.
    let places = heard.iter().flat_map(|one| &one.addresses).filter_map(TransportAddr::tcp);
    config.discovery.seeds.extend(places.take(PLACES).map(|at| at.to_string()));
    let Ok(node) = Node::join(config).await else { return Vec::new() };
    let _ = timeout(SYNC_TIME, node.synced()).await; // late is told as what is known by then
    let mut nodes = node.nodes().await;
    node.close().await;
    nodes.retain(|node| node.state != NodeState::This);
    nodes
}

/// A row for each node; of a mesh that stays shut those that were heard.
pub(super) fn print(all: &[Found], output: Output) -> Result<(), Failure> {
    let rows = all.iter().flat_map(|mesh| {
        let known = mesh.nodes.iter().map(|node| (Paint::Plain, full(mesh, node)));
        let is_known = |one: &&Audible| mesh.nodes.iter().any(|node| node.id == one.id);
        let others = mesh.heard.iter().filter(move |one| !is_known(one));
        known.chain(others.map(|one| (Paint::Dim, outline(mesh, one))))
    });
    let header = ["MESH", "GUARD", "NAME", "ID", "KIND", "STATE", "HEARD", "ADDRESSES"];
    output.table(&header, rows.collect())
}

fn full(mesh: &Found, node: &PeerInfo) -> Vec<String> {
    let addresses: Vec<_> = node.addresses.iter().map(ToString::to_string).collect();
    let heard = mesh.heard.iter().find(|one| one.id == node.id);
    vec![
        mesh.mesh.clone(),
        mesh.guard.to_string(),
        node.name.to_string(),
        node.id.to_string(),
        node.kind.to_string(),
        node.state.to_string(),
        heard.map_or_else(|| node.found.clone(), |one| one.heard.clone()),
        addresses.join(" "),
    ]
}

fn outline(mesh: &Found, one: &Audible) -> Vec<String> {
    let dash = || "-".to_owned();
    let addresses: Vec<_> = one.addresses.iter().map(ToString::to_string).collect();
    let place = match (addresses.is_empty(), one.from) {
        (true, Some(from)) => from.to_string(),
        (true, None) => dash(),
        (false, _) => addresses.join(" "),
    };
    vec![
        mesh.mesh.clone(),
        mesh.guard.to_string(),
        one.name.as_ref().map_or_else(dash, ToString::to_string),
        one.id.to_string(),
        one.kind.map_or_else(dash, |kind| kind.to_string()),
        dash(),
        one.heard.clone(),
        place,
    ]
}
