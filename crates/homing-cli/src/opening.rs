//! What is said to those who found nothing, because without a key they looked on their own host only?

use homing::{Guard, NodeInfo};

/// Why nothing beyond this host was seen, and the two commands that open the network.
const HOW: &str = "\
without a key a node stays on its host, and looked nowhere else. Two commands open the network:
  homing key new mesh.key                    then copy mesh.key to the other hosts
  export HOMING_KEY_FILE=$PWD/mesh.key       on each host (or --key-file mesh.key)";

/// The hint for who found nothing by this node; none where it looked on the network.
pub(crate) fn hint(node: &NodeInfo) -> Option<&'static str> {
    (node.guard == Guard::Local).then_some(HOW)
}
