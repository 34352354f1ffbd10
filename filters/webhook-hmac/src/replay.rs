//! Each delivery once: what came is remembered for a while, by all workers, in a table of a fixed size.

use std::cell::OnceCell;
use std::time::Duration;

use kit::config::{Node, or};
use kit::exchange::Exchange;
use kit::store::Contended;
use kit::table::{KeyHash, Seed, Table, Update};
use kit::time::Timestamp;

use crate::check::Verified;
use crate::config::Endpoint;
use crate::config::endpoint::LONGEST_WINDOW;
use crate::message::Message;
use crate::scheme::{self, Scheme};
use crate::source::Source;
use crate::timestamp::Tolerance;

/// How deliveries are told that came before.
#[derive(Debug)]
pub(crate) struct Replay {
    id: Id,
    window: Duration,
    entries: u64,
    pub(crate) on_duplicate: OnDuplicate,
}

/// What tells deliveries apart.
#[derive(Debug)]
enum Id {
    /// What is signed.
    Digest,
    /// Something in the request.
    Source(Source),
}

/// What becomes of a delivery that came before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum OnDuplicate {
    Refuse,
    Acknowledge,
    Forward,
}

/// How long something without a timestamp is remembered: providers try again for a day or more.
const DEFAULT_WINDOW: Duration = Duration::from_secs(86_400);

const DEFAULT_ENTRIES: u64 = 10_000;

/// How long a delivery may wait for its answer until it counts as lost, with its sender or its worker.
const LONGEST_ANSWER: Duration = Duration::from_secs(300);

impl Replay {
    /// Reads how deliveries are told that came before. Some if they aren't.
    pub(crate) fn parse(
        node: Option<&Node<'_>>,
        scheme: &Scheme,
        tolerance: Tolerance,
        key_id: Option<&str>,
    ) -> Option<Option<Self>> {
        // A token has its instant in itself.
        let has_time = scheme.timestamp.is_some() || scheme.is_token();
        let timed = has_time.then(|| tolerance.window());
        let Some(node) = node else {
            // Where there is a timestamp, what is signed differs each time.
            let digest = Self {
                id: Id::Digest,
                window: timed.unwrap_or(DEFAULT_WINDOW),
                entries: DEFAULT_ENTRIES,
                on_duplicate: OnDuplicate::Refuse,
            };
            return Some((timed.is_some() && scheme.signs_content()).then_some(digest));
        };
        if node.value().is_off() {
            return Some(None);
        }
        let mut object = node.object()?;
        let id_node = object.optional("id");
        let id = or(id_node.clone(), Id::Digest, |id| match id.value().as_text() {
            Some("digest") => Some(Id::Digest),
            Some(_) => {
                id.refuse("is `digest`, or says where the id is (example: {json: id})");
                None
            }
            None => scheme::source(id, key_id).map(Id::Source),
        });
        let window = or(object.optional("window"), timed.unwrap_or(DEFAULT_WINDOW), |window| {
            window.duration(Duration::from_secs(1)..=LONGEST_WINDOW)
        });
        let entries =
            or(object.optional("entries"), DEFAULT_ENTRIES, |entries| entries.integer(1..=10_000_000));
        let on_duplicate = or(object.optional("on_duplicate"), OnDuplicate::Refuse, |on| {
            on.choice(&[
                ("refuse", OnDuplicate::Refuse),
                ("acknowledge", OnDuplicate::Acknowledge),
                ("forward", OnDuplicate::Forward),
            ])
        });
        object.finish();
        let id = id?;
        if matches!(id, Id::Digest) && !scheme.signs_content() && !scheme.is_token() {
            id_node.as_ref().unwrap_or(node).refuse(
                "takes an `id`: with this algorithm nothing is signed that could tell deliveries apart (example: id: \
                 {json: id})",
            );
            return None;
        }
        // What is forgotten while its timestamp still counts could come again.
        let window = window?.max(timed.unwrap_or_default());
        Some(Some(Self { id, window, entries: entries?, on_duplicate: on_duplicate? }))
    }

    /// Tells whether the id is in the body.
    pub(crate) fn reads_body(&self) -> bool {
        matches!(&self.id, Id::Source(source) if source.is_in_body())
    }

    /// Returns the id of a delivery, if it is told by one.
    pub(crate) fn id_of(&self, message: &Message<'_>) -> Option<Vec<u8>> {
        match &self.id {
            Id::Digest => None,
            Id::Source(source) => source.one(message).unwrap_or_default(),
        }
    }

    /// Returns what a delivery is known by: its id, or each thing that is signed if it has none, in a way for each live
    /// key. Nothing if it has neither.
    pub(crate) fn ids_of(id: Option<&[u8]>, verified: &Verified) -> Vec<Vec<Vec<u8>>> {
        // An id and a digest that have the same bytes are still two.
        match id {
            Some(id) => vec![vec![[b"id", id].concat()]],
            None => {
                let named = |digest: &Vec<u8>| [b"digest", digest.as_slice()].concat();
                verified.digests.iter().map(|ways| ways.iter().map(named).collect()).collect()
            }
        }
    }
}

/// What came to an endpoint.
#[derive(Default)]
pub(crate) struct Seen {
    table: OnceCell<Table>,
    seed: OnceCell<Seed>,
}

/// The right to say what became of a delivery, or a part of it, that is on its way to the upstream.
pub(crate) struct Ticket {
    key: KeyHash,
    nonce: u64,
}

/// Whether a delivery came before: what is signed in parts, by each part, because anybody can put them together anew.
pub(crate) enum Claim {
    /// It is the first, with all its parts.
    First(Vec<Ticket>),
    /// All of it was answered, well.
    Done,
    /// One is on its way, or a part of it came before and another one didn't.
    Pending,
}

/// The same of a part.
enum Part {
    First(Ticket),
    Done,
    Pending,
}

/// The key in shared data under which the seed of the process stands.
const SEED: &[u8] = b"sluice/webhook-hmac/seed";

/// An entry is the instant until which it counts, and who waits for an answer: nobody, once it was answered.
const WORDS: usize = 2;

impl Seen {
    /// Takes note of a delivery by all its parts, or by none of them if one came before. Also tells whether another one
    /// had to be forgotten for it. None if there is nothing that it could be known by.
    pub(crate) fn claim(
        &self,
        exchange: &Exchange<'_>,
        endpoint: &Endpoint,
        replay: &Replay,
        parts: &[Vec<Vec<u8>>],
    ) -> Result<Option<(Claim, bool)>, Contended> {
        let (mut tickets, mut done, mut pending, mut any_evicted) = (Vec::new(), false, false, false);
        for ids in parts {
            match self.claim_part(exchange, endpoint, replay, ids) {
                Ok(Some((Part::First(ticket), evicted))) => {
                    tickets.push(ticket);
                    any_evicted |= evicted;
                }
                Ok(Some((Part::Done, _))) => done = true,
                Ok(Some((Part::Pending, _))) => {
                    pending = true;
                    break;
                }
                Ok(None) => {}
                Err(contended) => {
                    self.settle(exchange, endpoint, replay, &tickets, false)?;
                    return Err(contended);
                }
            }
        }
        if !done && !pending {
            let claim = (!tickets.is_empty()).then_some(Claim::First(tickets));
            return Ok(claim.map(|claim| (claim, any_evicted)));
        }
        self.settle(exchange, endpoint, replay, &tickets, false)?;
        let claim = if pending || !tickets.is_empty() { Claim::Pending } else { Claim::Done };
        Ok(Some((claim, any_evicted)))
    }

    /// Takes note of a part under the first of its ids, and tells whether it came before under any of them.
    fn claim_part(
        &self,
        exchange: &Exchange<'_>,
        endpoint: &Endpoint,
        replay: &Replay,
        ids: &[Vec<u8>],
    ) -> Result<Option<(Part, bool)>, Contended> {
        let Some((first, others)) = ids.split_first() else {
            return Ok(None);
        };
        let seed = self.seed(exchange)?;
        let (now, nonce) = (exchange.now(), exchange.draw() | 1);
        let table = self.table(exchange, endpoint, replay);
        let came_before = |words: &[u64]| match words {
            [until, waits] if now < Timestamp::from_nanos(*until) => {
                Some(if *waits == 0 { Part::Done } else { Part::Pending })
            }
            _ => None,
        };
        for other in others {
            let look = |words: &mut [u64]| Update::Keep(came_before(words));
            let found = table.update(exchange.store(), seed.hash(other), now, free_at, look)?;
            if let Some(claim) = found.answer {
                return Ok(Some((claim, false)));
            }
        }
        let key = seed.hash(first);
        let updated = table.update(exchange.store(), key, now, free_at, |words| {
            if let Some(claim) = came_before(words) {
                return Update::Keep(claim);
            }
            if let [until, waits] = words {
                (*until, *waits) = (now.after(LONGEST_ANSWER).nanos(), nonce);
            }
            Update::Write(Part::First(Ticket { key, nonce }))
        })?;
        Ok(Some((updated.answer, updated.evicted)))
    }

    /// Notes that a delivery was accepted, or lets it come again.
    pub(crate) fn settle(
        &self,
        exchange: &Exchange<'_>,
        endpoint: &Endpoint,
        replay: &Replay,
        tickets: &[Ticket],
        accepted: bool,
    ) -> Result<(), Contended> {
        let now = exchange.now();
        let table = self.table(exchange, endpoint, replay);
        for ticket in tickets {
            table.update(exchange.store(), ticket.key, now, free_at, |words| match words {
                // An entry that is gone was driven out; one of somebody else is his.
                [until, waits] if *waits == ticket.nonce || (accepted && *until == 0) => {
                    (*until, *waits) = (if accepted { now.after(replay.window).nanos() } else { 0 }, 0);
                    Update::Write(())
                }
                _ => Update::Keep(()),
            })?;
        }
        Ok(())
    }

    fn seed(&self, exchange: &Exchange<'_>) -> Result<&Seed, Contended> {
        if let Some(seed) = self.seed.get() {
            return Ok(seed);
        }
        let seed = Seed::of_process(exchange.store(), SEED, || exchange.secret())?;
        Ok(self.seed.get_or_init(|| seed))
    }

    /// Returns the table, which is found again by the name of the endpoint after a change of configuration.
    fn table(&self, exchange: &Exchange<'_>, endpoint: &Endpoint, replay: &Replay) -> &Table {
        self.table.get_or_init(|| {
            let prefix = format!("sluice/webhook-hmac/{}/{}", exchange.scope(), endpoint.name);
            Table::new(&prefix, replay.entries, WORDS)
        })
    }
}

fn free_at(words: &[u64]) -> Timestamp {
    Timestamp::from_nanos(words.first().copied().unwrap_or(0))
}
