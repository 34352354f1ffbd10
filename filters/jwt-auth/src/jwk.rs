//! The keys of a provider: what its issuer publishes as a JWK set (RFC 7517), or secrets that the operator
//! shares with it.

use std::fmt;

use kit::config::words::quoted;
use kit::signature::{Curve, EcKey, Ed25519Key, RsaKey};
use kit::value::{self, Value};

use self::members::Members;
use crate::algorithm::Algorithm;
use crate::verify::mac::MacKey;

mod members;

/// Keys, in the order in which they were given.
#[derive(Default)]
pub(crate) struct KeySet {
    keys: Vec<Key>,
}

/// One key, which is sound and for signatures.
pub(crate) struct Key {
    id: Option<String>,
    /// The only algorithm that it is for, if it says so.
    algorithm: Option<Algorithm>,
    material: Material,
}

/// What a key verifies with.
pub(crate) enum Material {
    /// `kty: RSA`.
    Rsa(RsaKey),
    /// `kty: EC`.
    Ec(EcKey),
    /// `kty: OKP` on Ed25519.
    Ed25519(Ed25519Key),
    /// Octets that both sides know.
    Secret(MacKey),
}

/// A secret, and the `kid` of the tokens that are signed with it; without one, it is for tokens of any `kid`.
pub(crate) struct Secret {
    /// The `kid`.
    pub(crate) id: Option<String>,
    /// The octets.
    pub(crate) bytes: Vec<u8>,
}

/// How many lists and objects of a set may lie within each other; three are enough for all that is read.
const DEEPEST: u32 = 16;

/// The longest `kid`, in octets.
const LONGEST_ID: usize = 256;

/// How many keys are tried on a token: one without a `kid` may be of any, and a set in which two keys share a `kid` is
/// legal (RFC 7517 section 4.5). An old key, the current one and the next are three; whoever forges a token chooses how
/// many checks of a signature it costs us, up to this.
pub(crate) const MOST_TRIED: usize = 3;

impl KeySet {
    /// Parses a JWK set, and tells of every key in it that can't be used: as RFC 7517 section 5 has it, other
    /// keys aren't affected.
    ///
    /// # Errors
    ///
    /// Why this is no JWK set, or that it has more keys than allowed.
    pub(crate) fn parse(text: &[u8], max_keys: usize) -> Result<(Self, Vec<String>), String> {
        let document = value::json(text, DEEPEST).map_err(|error| format!("it is not JSON: {error}"))?;
        Self::from_value(&document, max_keys)
    }

    /// Reads a JWK set from a tree, as [`Self::parse`] does from its text.
    ///
    /// # Errors
    ///
    /// The same.
    pub(crate) fn from_value(document: &Value, max_keys: usize) -> Result<(Self, Vec<String>), String> {
        let listed = Members::of(document)?.list("keys")?.ok_or("it has no member \"keys\"")?;
        if listed.len() > max_keys {
            return Err(format!("it has {} keys, more than {max_keys}", listed.len()));
        }
        let (mut keys, mut skipped) = (Vec::new(), Vec::new());
        for (index, value) in listed.iter().enumerate() {
            match Key::parse(value) {
                Ok(key) => keys.push(key),
                Err(reason) => skipped.push(format!("keys[{index}]{}: {reason}", named(value))),
            }
        }
        Ok((Self { keys }, skipped))
    }

    /// Makes a set of secrets.
    pub(crate) fn secrets(secrets: Vec<Secret>) -> Self {
        let key = |secret: Secret| Key {
            id: secret.id,
            algorithm: None,
            material: Material::Secret(MacKey::new(secret.bytes)),
        };
        Self { keys: secrets.into_iter().map(key).collect() }
    }

    /// Checks that these keys are of use with the algorithms that are allowed.
    ///
    /// # Errors
    ///
    /// A secret is too short for all of them, or no key is for any of them.
    pub(crate) fn fits(&self, algorithms: &[Algorithm]) -> Result<(), String> {
        let shortest = algorithms.iter().filter_map(|algorithm| MacKey::shortest(*algorithm)).min();
        for key in &self.keys {
            if let (Material::Secret(secret), Some(shortest)) = (&key.material, shortest)
                && secret.length() < shortest
            {
                let name = key.id.as_deref().map_or(String::new(), |id| format!(" {}", quoted(id)));
                return Err(format!(
                    "the secret{name} has {} octets, expected at least {shortest}",
                    secret.length()
                ));
            }
        }
        if algorithms.iter().any(|algorithm| self.knows(None, *algorithm)) {
            Ok(())
        } else {
            let names: Vec<&str> = algorithms.iter().map(|algorithm| algorithm.name()).collect();
            Err(format!("no key is for {}", names.join(", ")))
        }
    }

    /// Returns the keys to try on a token: with a `kid` those that have it, octet by octet, and no others;
    /// without one any. Only keys that are for the algorithm, and no more than three.
    pub(crate) fn candidates(&self, id: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(move |key| key.answers_to(id) && key.fits(algorithm)).take(MOST_TRIED)
    }

    /// Tells whether there is a key to try on a token.
    pub(crate) fn knows(&self, id: Option<&str>, algorithm: Algorithm) -> bool {
        self.candidates(id, algorithm).next().is_some()
    }

    /// Returns how many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }
}

impl Key {
    /// Tells whether this key is for an algorithm: by its type, its curve or its length, and its `alg`.
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        self.algorithm.is_none_or(|only| only == algorithm) && self.material.fits(algorithm)
    }

    /// Returns what it verifies with.
    pub(crate) fn material(&self) -> &Material {
        &self.material
    }

    fn answers_to(&self, id: Option<&str>) -> bool {
        match (id, self.id.as_deref()) {
            (Some(wanted), Some(id)) => wanted == id,
            (Some(_), None) => matches!(self.material, Material::Secret(_)),
            (None, _) => true,
        }
    }

    /// Parses a JWK.
    fn parse(value: &Value) -> Result<Self, String> {
        let members = Members::of(value)?;
        let id = members.text("kid")?;
        if id.is_some_and(|id| id.len() > LONGEST_ID) {
            return Err(format!("its \"kid\" is longer than {LONGEST_ID} octets"));
        }
        members.for_signatures()?;
        let material = Material::parse(&members)?;
        members.public()?;
        let algorithm = match members.text("alg")? {
            None => None,
            Some(name) => match Algorithm::from_name(name) {
                Some(algorithm) if material.fits(algorithm) => Some(algorithm),
                Some(_) => return Err(format!("its \"alg\" {name} is not for a key like this")),
                None => return Err(format!("its \"alg\" {} is not supported", quoted(name))),
            },
        };
        Ok(Self { id: id.map(str::to_owned), algorithm, material })
    }
}

impl Material {
    fn parse(members: &Members<'_>) -> Result<Self, String> {
        match members.required("kty")? {
            "RSA" => RsaKey::new(&members.octets("n")?, &members.octets("e")?).map(Self::Rsa),
            "EC" => {
                let name = members.required("crv")?;
                let curve = Curve::from_name(name).ok_or_else(|| unsupported("crv", name))?;
                EcKey::new(curve, &members.octets("x")?, &members.octets("y")?).map(Self::Ec)
            }
            "OKP" => match members.required("crv")? {
                "Ed25519" => Ed25519Key::new(&members.octets("x")?).map(Self::Ed25519),
                name => Err(unsupported("crv", name)),
            },
            // Whoever can read the set could sign with it.
            "oct" => Err(String::from("it is a secret, and a published one is none")),
            name => Err(unsupported("kty", name)),
        }
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Rsa(_) => algorithm.rsa().is_some(),
            Self::Ec(key) => algorithm.curve() == Some(key.curve()),
            Self::Ed25519(_) => algorithm == Algorithm::EdDsa,
            Self::Secret(key) => key.fits(algorithm),
        }
    }
}

/// Says which key a message is about, if it says that itself.
fn named(key: &Value) -> String {
    let id = Members::of(key).ok().and_then(|members| members.text("kid").ok().flatten());
    id.map_or(String::new(), |id| format!(" ({})", quoted(id)))
}

fn unsupported(member: &str, name: &str) -> String {
    format!("its \"{member}\" {} is not supported", quoted(name))
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Shows what a set is for, and no octet of a key.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.material {
            Material::Rsa(_) => "RSA",
            Material::Ec(_) => "EC",
            Material::Ed25519(_) => "Ed25519",
            Material::Secret(_) => "secret",
        };
        f.debug_struct("Key")
            .field("kind", &kind)
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish()
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.keys).finish()
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it would fail")]
mod tests;
