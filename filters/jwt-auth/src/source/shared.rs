//! What all workers share about a provider's keys: the record, and the document that the record speaks of.
//!
//! Shared data belongs to the process, and a stranger's plugin may write to it: there is no way to tell who did, nor to
//! prevent it. So nothing is believed of the shape of a value; but whoever can load a plugin into the process can put
//! keys of their own here.

use kit::identity;
use kit::store::{Change, Store, Version};
use kit::time::Timestamp;

use super::fetch::Fetch;
use super::record::{Lease, Record};

/// Where shared values stand: two of them for each provider.
#[derive(Debug)]
pub(super) struct Shared {
    record: Vec<u8>,
    document: Vec<u8>,
}

/// How often a change is tried: no more workers than this can be in between.
const TRIES: u32 = 64;

impl Shared {
    /// Finds the place of a provider, which stays the same while name and address do.
    pub(super) fn new(scope: &str, provider: &str, fetch: &Fetch) -> Self {
        let parts = [provider, fetch.uri.text(), &fetch.cluster].map(str::as_bytes);
        let place = format!("sluice/jwt-auth/{scope}/keys/{}", identity::digest(&parts));
        Self {
            record: format!("{place}/record").into_bytes(),
            document: format!("{place}/document").into_bytes(),
        }
    }

    /// Reads the record.
    pub(super) fn look(&self, store: &dyn Store, now: Timestamp, fetch: &Fetch) -> (Record, Version) {
        let current = store.read(&self.record);
        (Record::read(current.value.as_deref(), now, fetch), current.version)
    }

    /// Writes the record if nobody did since it was read.
    pub(super) fn swap(&self, store: &dyn Store, record: &Record, version: Version) -> bool {
        store.swap(&self.record, &record.encode(), version)
    }

    /// Reads the document of a generation. None if it isn't that one: it is being replaced, or a stranger did.
    pub(super) fn document(&self, store: &dyn Store, generation: u64, fetch: &Fetch) -> Option<Vec<u8>> {
        let document = store.read(&self.document).value?;
        (document.len() <= fetch.max_size && generation == generation_of(&document)).then_some(document)
    }

    /// Ends a lease by changing the record. None if the lease was lost, or others were first every time.
    pub(super) fn end(
        &self,
        store: &dyn Store,
        lease: Lease,
        now: Timestamp,
        fetch: &Fetch,
        change: impl Fn(&mut Record),
    ) -> Option<Record> {
        let ended = store.update(&self.record, TRIES, |old| {
            let mut record = Record::read(old, now, fetch);
            if record.lease != lease {
                return Change::Keep(None);
            }
            record.lease = Lease::default();
            change(&mut record);
            Change::Write(record.encode(), Some(record))
        });
        ended.ok().flatten()
    }

    /// Puts a document where all workers find it; its generation goes into the record afterwards.
    pub(super) fn put(&self, store: &dyn Store, document: &[u8]) -> bool {
        let current = store.read(&self.document);
        current.value.as_deref() == Some(document) || store.swap(&self.document, document, current.version)
    }
}

/// Returns the generation of a document: the same bytes are the same generation, in every worker and after a restart.
pub(super) fn generation_of(document: &[u8]) -> u64 {
    // Zero stands for none.
    u64::from_str_radix(&identity::digest(&[document]), 16).unwrap_or(0).max(1)
}
