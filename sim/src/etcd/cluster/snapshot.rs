//! The whole database of a member as a stream of blobs.
//!
//! The content is of our own form: for each key a line of JSON, and its value as it is. Around it all is as etcd has
//! it (gateway.md 11): blobs of 32 KiB, a multiple of 512 bytes in all, and its SHA-256 at the end.

use etcd_core::bytes::Bytes;
use etcd_core::{KeyRange, SnapshotResponse, Version};
use sha2::{Digest, Sha256};

use super::Cluster;
use crate::etcd::{AskId, Fault, Meta, Reply};

/// How large a blob is.
const BLOB: usize = 32_768;

/// What the length of a database is a multiple of.
const PAGE: usize = 512;

impl Cluster {
    /// Sends a member's database.
    pub(super) fn send_snapshot(&mut self, member: usize, ask: AskId, meta: &Meta) {
        if let Err(fault) = self.may_snapshot(member, meta) {
            self.replies.push_back((ask, Reply::Fault(fault)));
            return;
        }
        let data = Bytes::from(self.image(member));
        let hash = Bytes::copy_from_slice(&Sha256::digest(&data));
        let mut version = String::new();
        if self.setup.version >= Version::new(3, 6, 0) {
            version = format!(
                "{}.{}.0",
                self.setup.version.major(),
                self.setup.version.minor()
            );
        }
        let mut rest = data;
        while !rest.is_empty() {
            let mut response = SnapshotResponse::default();
            response.blob = rest.split_to(rest.len().min(BLOB));
            response.remaining_bytes = u64::try_from(rest.len()).unwrap_or(u64::MAX);
            response.version.clone_from(&version);
            self.replies.push_back((ask, Reply::Snapshot(response)));
        }
        let mut response = SnapshotResponse::default();
        response.blob = hash;
        response.version = version;
        self.replies.push_back((ask, Reply::Snapshot(response)));
        self.replies.push_back((ask, Reply::End));
    }

    fn may_snapshot(&mut self, member: usize, meta: &Meta) -> Result<(), Fault> {
        let machine = &mut self.nodes[member].machine;
        let tokens = &mut machine.tokens;
        let token = meta.token.as_deref();
        let who = machine.auth.identify_stream(self.now, tokens, token)?;
        machine.auth.permit_maintenance(&who)
    }

    fn image(&self, member: usize) -> Vec<u8> {
        let store = &self.nodes[member].machine.store;
        let mut image =
            format!("etcd-sim snapshot of revision {}\n", store.revision()).into_bytes();
        for kv in store.now(&KeyRange::all()) {
            let mut about = kv.clone();
            let value = core::mem::take(&mut about.value);
            // It has no maps and writes to memory, so it cannot fail.
            let line = serde_json::to_vec(&about).unwrap_or_default();
            for line in [&line[..], &value] {
                image.extend_from_slice(line);
                image.push(b'\n');
            }
        }
        image.resize(image.len().next_multiple_of(PAGE), b'\n');
        image
    }
}
