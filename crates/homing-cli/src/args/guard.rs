//! What can be typed about what keeps strangers away?

use std::path::PathBuf;

/// What keeps strangers away from a node, and tells it from others.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Safety options")]
pub(crate) struct GuardArgs {
    /// The keys of the mesh: with them a node is on the network, without any it stays on this host (see `homing key`)
    /// [default: `HOMING_KEY_FILE`, or the keys in `HOMING_KEY`]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Keep the id of this node here, so that it is the same after a restart; made on the first start
    /// [default: `HOMING_IDENTITY`, or a new id each time]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,
    /// Beside the key, ask peers for a certificate of this authority (PEM); all three files are read again when they change
    #[arg(long, global = true, hide_short_help = true, value_name = "FILE", requires_all = ["cert", "cert_key"])]
    pub(crate) ca: Option<PathBuf>,
    /// The certificate to show to peers, and those between it and the authority's (PEM)
    #[arg(long, global = true, hide_short_help = true, value_name = "FILE", requires = "ca")]
    pub(crate) cert: Option<PathBuf>,
    /// The private key of that certificate (PEM)
    #[arg(long, global = true, hide_short_help = true, value_name = "FILE", requires = "ca")]
    pub(crate) cert_key: Option<PathBuf>,
    /// Ask nobody for a key, and let in whoever reaches the port; `homing nodes` shows it for ever
    #[arg(long, global = true)]
    pub(crate) insecure: bool,
}
