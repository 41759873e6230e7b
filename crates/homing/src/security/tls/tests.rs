//! Who comes to a channel with whom, and what is it bound to?

use super::*;
