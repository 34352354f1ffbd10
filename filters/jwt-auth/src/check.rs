//! From the bytes of a token to the decision whether they count: parsed, verified, and remembered.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use kit::exchange::Exchange;
use kit::host::Signature;
use kit::signature::{Abilities, HostVerifier};
use kit::table::{KeyHash, Seed};
use kit::time::Timestamp;

use crate::cache::Cache;
use crate::claims::Validity;
use crate::config::provider::{Keys, Provider};
use crate::config::{Config, Signatures};
use crate::jwk::KeySet;
use crate::reason::Reason;
use crate::source::Unknown;
use crate::token::{Header, Token};
use crate::verified::Verified;

/// What a worker has for checking tokens.
pub(crate) struct Checker {
    good: RefCell<Cache<Rc<Verified>>>,
    bad: RefCell<Cache<Bad>>,
    seed: OnceCell<Seed>,
    /// What the proxy can verify: nothing, until it has shown it.
    pub(crate) abilities: Cell<Abilities>,
}

/// A token that was refused after its signature was looked at: for what it is, or because it is over or hasn't begun.
#[derive(Clone, Copy)]
struct Bad {
    reason: Reason,
    judge: Judge,
    /// From when on that counts, and before when.
    since: Timestamp,
    until: Timestamp,
}

/// Who judged a token: a provider, with the keys of this generation.
#[derive(Clone, Copy)]
struct Judge {
    provider: usize,
    generation: u64,
}

/// Why a token isn't accepted now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Denial {
    /// It isn't accepted.
    Refused(Reason),
    /// Keys are on their way that may change that; this is the reason if they don't come in time.
    Waits(Reason),
}

/// A denial, and what is remembered of the token if its signature was looked at.
struct Failure {
    denial: Denial,
    bad: Option<Bad>,
}

/// How long a refusal is remembered: for a client that tries again and again.
const REMEMBERED: Duration = Duration::from_secs(10);

/// The share of the cache that refusals have; they drive out nothing that is good.
const SHARE_OF_BAD: usize = 8;

/// How many bytes at the end of a token are hashed.
const HASHED: usize = 64;

/// The key in shared data under which the seed of the process stands.
const SEED: &[u8] = b"sluice/jwt-auth/seed";

impl Checker {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            good: RefCell::new(Cache::new(config.cache)),
            bad: RefCell::new(Cache::new(config.cache / SHARE_OF_BAD)),
            seed: OnceCell::new(),
            abilities: Cell::default(),
        }
    }

    /// Checks a token: a provider issued it, for us, it is valid now, and it wasn't revoked.
    pub(crate) fn check(
        &self,
        config: &Config,
        exchange: &mut Exchange<'_>,
        token: &[u8],
    ) -> Result<Rc<Verified>, Denial> {
        if config.max_token_size < token.len() {
            return Err(Denial::Refused(Reason::TooLarge));
        }
        let hash = self.hash(exchange, token);
        let known = hash.and_then(|hash| self.known(config, exchange, hash, token));
        if let Some(known) = known {
            return known.map_err(Denial::Refused);
        }
        match self.verify(config, exchange, token) {
            Ok(verified) => {
                let verified = Rc::new(verified);
                self.remember_good(hash, token, &verified);
                Ok(verified)
            }
            Err(failure) => {
                if let (Some(hash), Some(bad)) = (hash, failure.bad) {
                    self.remember_bad(hash, token, bad);
                }
                Err(failure.denial)
            }
        }
    }

    /// Returns what is remembered of a token, if it was judged with the keys that are in use now.
    fn known(
        &self,
        config: &Config,
        exchange: &mut Exchange<'_>,
        hash: KeyHash,
        token: &[u8],
    ) -> Option<Result<Rc<Verified>, Reason>> {
        let now = exchange.now();
        let mut is_current = |judge: Judge| {
            let provider = config.providers.get(judge.provider);
            provider.and_then(|provider| provider.generation(exchange)) == Some(judge.generation)
        };
        let mut good = self.good.try_borrow_mut().ok()?;
        if let Some(verified) = good.get(hash, token) {
            let judge = Judge { provider: verified.provider, generation: verified.generation };
            let untimely = Bad::untimely(&verified.claims.validity, judge, now);
            if is_current(judge) && untimely.is_none() {
                return Some(Ok(Rc::clone(verified)));
            }
            // Whoever asks on with a token that is good no more doesn't keep it among those that are.
            good.remove(hash, token);
            if let Some(untimely) = untimely {
                self.remember_bad(hash, token, untimely);
            }
        }
        let mut bad = self.bad.try_borrow_mut().ok()?;
        let known = bad.get(hash, token)?;
        (known.counts(now) && is_current(known.judge)).then_some(Err(known.reason))
    }

    fn remember_good(&self, hash: Option<KeyHash>, token: &[u8], verified: &Rc<Verified>) {
        if let (Some(hash), Ok(mut good)) = (hash, self.good.try_borrow_mut()) {
            good.insert(hash, token, Rc::clone(verified), verified.size());
        }
    }

    /// Remembers a refusal that cost the check of a signature.
    fn remember_bad(&self, hash: KeyHash, token: &[u8], known: Bad) {
        if let Ok(mut bad) = self.bad.try_borrow_mut() {
            bad.insert(hash, token, known, size_of::<Bad>());
        }
    }

    /// Verifies a token, which is good only if it is valid now.
    fn verify(
        &self,
        config: &Config,
        exchange: &mut Exchange<'_>,
        bytes: &[u8],
    ) -> Result<Verified, Failure> {
        let token = Token::parse(bytes)?;
        let header = &token.header;
        let (index, provider) = config.provider_of(&token).ok_or(Reason::Issuer)?;
        if !provider.algorithms.contains(&header.algorithm) {
            return Err(Reason::Algorithm.into());
        }
        let (keys, generation) = provider.keys_for(header, exchange)?;
        let judge = Judge { provider: index, generation };
        let now = exchange.now();
        let judged = |reason| Failure::from(Bad::new(reason, judge, now));

        let ask = |signature: &Signature<'_>| exchange.verify_signature(signature);
        let host = match config.signatures {
            Signatures::Auto => Some(HostVerifier::new(&ask, self.abilities.get())),
            Signatures::Module => None,
        };
        let is_signed = keys
            .candidates(header.key_id.as_deref(), header.algorithm)
            .any(|key| key.verify(header.algorithm, token.signing_input, &token.signature, host));
        if !is_signed {
            return Err(judged(Reason::Signature));
        }
        let claims = provider.expectations.check(header, &token.payload).map_err(judged)?;
        if config.deny.iter().any(|deny| deny.revokes(header, &token.payload, &claims)) {
            return Err(judged(Reason::Revoked));
        }
        if let Some(untimely) = Bad::untimely(&claims.validity, judge, now) {
            return Err(untimely.into());
        }
        Ok(Verified::new(index, generation, token.payload, token.payload_part, claims, config))
    }

    /// Hashes a token, so that clients can't aim at a place of the cache; none if there is no seed to do it with.
    ///
    /// The end of a signature is as good as all of it: whoever doesn't know a token can't make one that ends like it,
    /// and two that do only take turns in one place.
    fn hash(&self, exchange: &Exchange<'_>, token: &[u8]) -> Option<KeyHash> {
        let seed = match self.seed.get() {
            Some(seed) => seed,
            None => {
                let seed = Seed::of_process(exchange.store(), SEED, || exchange.secret()).ok()?;
                self.seed.get_or_init(|| seed)
            }
        };
        Some(seed.hash(token.last_chunk::<HASHED>().map_or(token, <[u8; HASHED]>::as_slice)))
    }
}

impl Config {
    /// Returns the provider that a token says it is from.
    fn provider_of(&self, token: &Token<'_>) -> Option<(usize, &Provider)> {
        let issuer = token.payload.get("iss")?.as_text()?;
        self.providers.iter().enumerate().find(|(_, provider)| provider.expectations.issuer == issuer)
    }
}

impl Provider {
    /// Returns the keys that may have made a signature with this header.
    fn keys_for(&self, header: &Header, exchange: &mut Exchange<'_>) -> Result<(Rc<KeySet>, u64), Denial> {
        let (id, algorithm) = (header.key_id.as_deref(), header.algorithm);
        match &self.keys {
            Keys::Here(keys) if keys.knows(id, algorithm) => Ok((Rc::clone(keys), 0)),
            Keys::Here(_) => Err(Denial::Refused(Reason::UnknownKey)),
            Keys::Fetched(source) => {
                let (keys, generation) = source.keys(exchange).or(Err(Denial::Waits(Reason::NoKeys)))?;
                if keys.knows(id, algorithm) {
                    return Ok((keys, generation));
                }
                match source.unknown(exchange) {
                    Unknown::Wait => Err(Denial::Waits(Reason::UnknownKey)),
                    Unknown::No => Err(Denial::Refused(Reason::UnknownKey)),
                    Unknown::Adopted => match source.keys(exchange) {
                        Ok((keys, generation)) if keys.knows(id, algorithm) => Ok((keys, generation)),
                        Ok(_) | Err(_) => Err(Denial::Refused(Reason::UnknownKey)),
                    },
                }
            }
        }
    }

    /// Returns the generation of the keys in use; none if there are none.
    fn generation(&self, exchange: &mut Exchange<'_>) -> Option<u64> {
        match &self.keys {
            Keys::Here(_) => Some(0),
            Keys::Fetched(source) => source.keys(exchange).ok().map(|(_, generation)| generation),
        }
    }
}

impl Bad {
    /// Remembers that a token is refused now.
    fn new(reason: Reason, judge: Judge, now: Timestamp) -> Self {
        Self { reason, judge, since: now, until: now.after(REMEMBERED) }
    }

    /// Remembers that a token is over or hasn't begun, if that is so; no longer than until it begins.
    fn untimely(validity: &Validity, judge: Judge, now: Timestamp) -> Option<Self> {
        let reason = validity.at(now).err()?;
        let bad = Self::new(reason, judge, now);
        let until = if reason == Reason::NotYet { bad.until.min(validity.from) } else { bad.until };
        Some(Self { until, ..bad })
    }

    /// Tells whether the refusal still counts; a clock that was turned back doesn't make it last longer.
    fn counts(&self, now: Timestamp) -> bool {
        self.since <= now && now < self.until
    }
}

impl From<Bad> for Failure {
    fn from(bad: Bad) -> Self {
        Self { denial: Denial::Refused(bad.reason), bad: Some(bad) }
    }
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Self { denial: Denial::Refused(reason), bad: None }
    }
}

impl From<Denial> for Failure {
    fn from(denial: Denial) -> Self {
        Self { denial, bad: None }
    }
}
