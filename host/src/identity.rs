//! Names for the transactions of a process, which it keeps over restarts: a name
//! that comes back ends what its predecessor left open. Without `--instance-id` it
//! is the first slot of the machine that no other process of the same group and
//! cluster holds.
//! The slot is a socket of the kernel's (unix(7), the abstract namespace), so it is
//! free again as soon as the process has ended, however that was, and leaves nothing
//! behind.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use crate::pipeline::ports::Fatal;

/// Names the transactions of this process's workers.
#[derive(Debug)]
pub struct Identity {
    prefix: String,
    _slot: Option<Slot>,
}

impl Identity {
    /// By the user's name for this process, else by a slot of this machine.
    /// `cluster`: the cluster's id.
    pub fn new(cluster: &str, group: &str, instance: Option<&str>) -> Result<Self, Fatal> {
        let slot = match instance {
            Some(_) => None,
            None => Some(Slot::take(cluster, group).context(
                "this machine gives the process no name of its own for its transactions: name it \
                 with --instance-id",
            )?),
        };
        let name = instance.or(slot.as_ref().map(Slot::name));
        Ok(Self {
            prefix: format!("{group}-{}", name.unwrap_or_default()),
            _slot: slot,
        })
    }

    /// The transactional id of a worker.
    pub fn of(&self, worker: usize) -> String {
        format!("{}-{worker}", self.prefix)
    }
}

/// More processes of one group than a machine will run.
const SLOTS: u32 = 10_000;

/// Held while this value lives.
#[derive(Debug)]
struct Slot {
    name: String,
    _held: UnixListener,
}

impl Slot {
    /// The first free slot of this group's on this machine.
    fn take(cluster: &str, group: &str) -> io::Result<Self> {
        // Names are short there, and a group's may be long.
        let digest = hex(&Sha256::digest(format!("{cluster} {group}"))[..16]);
        for slot in 0..SLOTS {
            let address = SocketAddr::from_abstract_name(format!("millrace-{digest}-{slot}"))?;
            match UnixListener::bind_addr(&address) {
                Ok(held) => {
                    let uname = rustix::system::uname();
                    let machine = uname.nodename().to_string_lossy();
                    return Ok(Self {
                        name: format!("{machine}.{slot}"),
                        _held: held,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::QuotaExceeded.into())
    }

    /// `MACHINE.NUMBER`.
    fn name(&self) -> &str {
        &self.name
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_held_by_one_and_free_again_afterwards() {
        let group = format!("identity-{}", std::process::id());
        let first = Slot::take("c", &group).unwrap();
        let second = Slot::take("c", &group).unwrap();
        let (kept, other) = (first.name().to_owned(), second.name().to_owned());
        assert!(
            kept.ends_with(".0") && other.ends_with(".1"),
            "{kept}, {other}"
        );
        drop(first);
        assert_eq!(Slot::take("c", &group).unwrap().name(), kept);
    }

    #[test]
    fn a_worker_of_a_named_process_has_the_same_id_each_time() {
        let id = || Identity::new("c", "g", Some("pod-1")).unwrap().of(2);
        assert_eq!(
            (id(), id()),
            ("g-pod-1-2".to_owned(), "g-pod-1-2".to_owned())
        );
    }

    #[test]
    fn groups_and_clusters_do_not_share_their_slots() {
        let [a, b] = ["a", "b"].map(|group| format!("{group}-{}", std::process::id()));
        let _held = Slot::take("c", &a).unwrap();
        assert!(Slot::take("c", &b).unwrap().name().ends_with(".0"));
        assert!(Slot::take("another", &a).unwrap().name().ends_with(".0"));
    }
}
