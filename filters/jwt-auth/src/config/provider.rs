//! An issuer that is trusted: what its tokens look like, and where its keys are.

use std::rc::Rc;
use std::time::Duration;

use kit::config::{Node, Object, each, or};
use kit::secret::Secret;
use kit::setup::Setup;
use kit::value::Value;

use super::texts;
use crate::algorithm::Algorithm;
use crate::claim::ClaimPath;
use crate::claims::{Expectations, Typ};
use crate::jwk::{self, KeySet, MOST_TRIED};
use crate::source::{Fetch, Source};

/// An issuer that is trusted.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) name: String,
    /// What its tokens must say.
    pub(crate) expectations: Expectations,
    /// The algorithms it signs with.
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) keys: Keys,
    /// What the operator should know about the keys.
    pub(crate) warnings: Vec<String>,
}

/// Where keys come from.
#[derive(Debug)]
pub(crate) enum Keys {
    /// They are in the configuration, or its environment.
    Here(Rc<KeySet>),
    /// They are fetched.
    Fetched(Box<Source>),
}

/// What a provider is for: any of its tokens, or access tokens of a profile.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Profile {
    Plain,
    /// JSON Web Token Profile for OAuth 2.0 Access Tokens (RFC 9068).
    Rfc9068,
}

impl Provider {
    /// Reads a provider.
    pub(super) fn parse(node: &Node<'_>, setup: &mut Setup<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let name = object.required("name").and_then(|name| name.name());
        let issuer = object.required("issuer").and_then(|issuer| issuer.non_empty_text());
        let audiences = audiences(&mut object);
        let algorithm_node = object.required("algorithms");
        let algorithms = algorithm_node.as_ref().and_then(algorithms);
        let keys_node = object.required("keys");
        let leeway = or(object.optional("leeway"), DEFAULT_LEEWAY, |leeway| {
            leeway.duration(Duration::ZERO..=Duration::from_secs(300))
        });
        let max_lifetime = or(object.optional("max_lifetime"), None, |lifetime| {
            lifetime.duration(Duration::from_secs(1)..=Duration::MAX).map(Some)
        });
        let required = or(object.optional("required_claims"), Vec::new(), |claims| {
            each(&claims.non_empty_list()?, ClaimPath::parse)
        });
        let endless = or(object.optional("accept_without_expiry"), false, |accept| accept.boolean());
        let typ_node = object.optional("typ");
        let typ =
            or(typ_node.clone(), Typ::Any, |typ| typ.non_empty_text().map(|typ| Typ::Is(typ.to_owned())));
        let profile = or(object.optional("profile"), Profile::Plain, |profile| {
            profile.choice(&[("rfc9068", Profile::Rfc9068)])
        });
        object.finish();
        let mut warnings = Vec::new();
        let label = name.unwrap_or_default();
        let keys =
            keys_node.and_then(|keys| Keys::parse(&keys, label, algorithms.as_deref(), &mut warnings, setup));
        let access_token = profile? == Profile::Rfc9068;
        let typ = match (typ?, typ_node) {
            (Typ::Is(_), Some(typ)) if access_token => {
                typ.refuse("is at+jwt by the profile; leave it out");
                return None;
            }
            (_, _) if access_token => Typ::Is("at+jwt".to_owned()),
            (typ, _) => typ,
        };
        if access_token && endless? {
            node.refuse("has `accept_without_expiry`, but the profile rfc9068 requires an expiry");
            return None;
        }
        Some(Self {
            name: name?.to_owned(),
            expectations: Expectations {
                issuer: issuer?.to_owned(),
                audiences: audiences?,
                leeway: leeway?,
                max_lifetime: max_lifetime?,
                required: required?,
                expiry_required: !endless?,
                typ,
                access_token,
            },
            algorithms: algorithms?,
            keys: keys?,
            warnings,
        })
    }

    /// Refuses a provider that can't be told from one before it.
    pub(super) fn is_unlike<'a>(&self, node: &Node<'_>, others: impl Iterator<Item = &'a Self>) -> bool {
        let mut unlike = true;
        for other in others {
            if other.name == self.name {
                node.refuse(format!("another provider is called \"{}\"; names must differ", self.name));
                unlike = false;
            }
            if other.expectations.issuer == self.expectations.issuer {
                node.refuse(format!(
                    "has the issuer of \"{}\"; an issuer has one provider, with all audiences, algorithms and keys",
                    other.name
                ));
                unlike = false;
            }
        }
        unlike
    }
}

/// Returns the name that a provider gives itself, whatever else is wrong with it.
pub(super) fn name_of<'a>(node: &Node<'a>) -> Option<&'a str> {
    let Value::Object(fields) = node.value() else {
        return None;
    };
    match fields.iter().find(|(field, _)| field == "name") {
        Some((_, Value::Text(name))) => Some(name),
        _ => None,
    }
}

/// What clocks differ by, and what RFC 7519 section 4.1.4 calls "a few minutes" at the most.
const DEFAULT_LEEWAY: Duration = Duration::from_secs(60);

/// Reads `audiences`, or that any will do.
fn audiences(object: &mut Object<'_>) -> Option<Option<Vec<String>>> {
    let listed = object.optional("audiences");
    let any = object.optional("any_audience");
    object.needs_one_of(
        &["audiences", "any_audience"],
        "needs `audiences`: what its tokens for you have as `aud` (`any_audience: true` accepts those for others too)",
    );
    match (listed, any) {
        (Some(listed), None) => texts(&listed).map(Some),
        (None, Some(any)) if any.boolean()? => Some(None),
        (None, Some(any)) => {
            any.refuse("is false: list the `audiences`");
            None
        }
        (Some(_), Some(any)) => {
            any.refuse("contradicts `audiences`: leave one out");
            None
        }
        (None, None) => None,
    }
}

/// Reads the algorithms that a provider signs with.
fn algorithms(node: &Node<'_>) -> Option<Vec<Algorithm>> {
    let algorithms = each(&node.non_empty_list()?, |name| name.choice(Algorithm::NAMES))?;
    let symmetric = algorithms.iter().filter(|algorithm| algorithm.is_symmetric()).count();
    if symmetric != 0 && symmetric != algorithms.len() {
        // A public key would be a secret that everybody knows (RFC 8725 section 2.1).
        node.refuse("mixes HS algorithms with others; make them two providers");
        return None;
    }
    Some(algorithms)
}

impl Keys {
    /// Reads where keys come from: `uri`, `inline` or `secrets`. Which of them fits depends on the algorithms.
    fn parse(
        node: &Node<'_>,
        provider: &str,
        algorithms: Option<&[Algorithm]>,
        warnings: &mut Vec<String>,
        setup: &mut Setup<'_>,
    ) -> Option<Self> {
        // Where algorithms can't be read, any place will do: their own problem is told.
        let uses = |symmetric| {
            let uses = |algorithm: &Algorithm| algorithm.is_symmetric() == symmetric;
            algorithms.is_none_or(|algorithms| algorithms.iter().any(uses))
        };
        let mut object = node.object()?;
        let ways = ["uri", "inline", "secrets"];
        if 1 < ways.iter().filter(|way| object.has(way)).count() {
            node.refuse(
                "has several of `uri`, `inline` and `secrets`; a provider's keys come from one place",
            );
            return None;
        }
        // Whatever it is that isn't one of the other two, it is meant to be a `uri`.
        let elsewhere = object.has("inline") || object.has("secrets");
        if !elsewhere && !object.entries().is_empty() {
            let fetch = Fetch::parse(&mut object);
            object.finish();
            if !uses(false) {
                node.refuse("has a `uri`, but HS algorithms need `secrets`");
                return None;
            }
            return Some(Self::Fetched(Box::new(Source::new(fetch?, provider, setup))));
        }
        let inline = object.optional("inline");
        let secrets = object.optional("secrets");
        object.needs_one_of(
            &ways,
            "needs a `uri` to fetch keys from, `inline` keys, or `secrets` for HS algorithms",
        );
        object.finish();
        let set = match (inline, secrets) {
            (Some(inline), _) if !uses(false) => {
                inline.refuse("holds public keys, but HS algorithms need `secrets`");
                return None;
            }
            (Some(inline), _) => inline_keys(&inline, provider, warnings)?,
            (None, Some(secrets)) if uses(true) => secret_keys(&secrets, provider, warnings, setup)?,
            (None, Some(secrets)) => {
                secrets.refuse("are for HS algorithms; this provider's need `uri` or `inline`");
                return None;
            }
            (None, None) => return None,
        };
        if let Err(problem) = set.fits(algorithms?) {
            node.refuse(problem);
            return None;
        }
        Some(Self::Here(Rc::new(set)))
    }
}

/// Reads a JWK Set (RFC 7517 section 5), as an object or as its text.
fn inline_keys(node: &Node<'_>, provider: &str, warnings: &mut Vec<String>) -> Option<KeySet> {
    let parsed = if let Value::Text(text) = node.value() {
        KeySet::parse(text.as_bytes(), MAX_INLINE_KEYS)
    } else {
        KeySet::from_value(node.value(), MAX_INLINE_KEYS)
    };
    match parsed {
        Ok((set, skipped)) => {
            warnings.extend(skipped.iter().map(|why| format!("provider {provider}: {why}")));
            Some(set)
        }
        Err(problem) => {
            node.refuse(problem);
            None
        }
    }
}

/// More keys than anybody signs with.
const MAX_INLINE_KEYS: usize = 256;

/// Reads secrets for HS algorithms: `{env: NAME}` or, with the `kid` of its tokens, `{id: key-1, secret: {env: NAME}}`.
fn secret_keys(
    node: &Node<'_>,
    provider: &str,
    warnings: &mut Vec<String>,
    setup: &Setup<'_>,
) -> Option<KeySet> {
    let secrets = each(&node.non_empty_list()?, |node| {
        let mut object = node.object()?;
        if !object.has("secret") {
            return Some((None, Secret::parse(node, setup)?));
        }
        let id = or(object.optional("id"), None, |id| id.non_empty_text().map(|id| Some(id.to_owned())));
        let secret = object.required("secret").and_then(|secret| Secret::parse(&secret, setup));
        object.finish();
        Some((id?, secret?))
    })?;
    if MOST_TRIED < secrets.iter().filter(|(id, _)| id.is_none()).count() {
        node.refuse(format!(
            "has more than {MOST_TRIED} secrets without an id, and no token is tried on more; write {{id: ..., secret: \
             {{env: ...}}}} with the `kid` of its tokens"
        ));
        return None;
    }
    if secrets.iter().any(|(_, secret)| secret.is_inline()) {
        warnings
            .push(format!("provider {provider}: a secret stands in the configuration; use {{env: NAME}}"));
    }
    let secrets = secrets.into_iter().map(|(id, secret)| jwk::Secret { id, bytes: secret.bytes().to_vec() });
    Some(KeySet::secrets(secrets.collect()))
}
