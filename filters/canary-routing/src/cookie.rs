//! A cookie for users who have no key: an id that nobody can choose, because its code takes a secret.
//!
//! `1.<id>.<code>`: 16 random bytes in base64url, and HMAC-SHA256 of `sluice-canary`, NUL, the name of the split, NUL and
//! the text of the id. The code is for one split, so an id that is good for one is nothing to another.

use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use hmac::digest::KeyInit as _;
use hmac::{Hmac, Mac as _};
use kit::config::{Node, or};
use kit::exchange::Exchange;
use kit::header::{Field, Found, Lookup as _};
use kit::key::cookie;
use kit::secret::Secret;
use kit::setup::Setup;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::identity::Room;

/// A cookie that is handed out, and read.
pub(crate) struct Ticket {
    pub(crate) name: String,
    /// What stands behind its value.
    attributes: String,
    /// The code of the text before each id.
    begun: Hmac<Sha256>,
}

/// How many characters 16 bytes are, and 32.
const ID: usize = 22;
const CODE: usize = 43;

/// The version of the format.
const VERSION: &str = "1.";

impl Ticket {
    /// Reads how the cookie of a split is; its own name is this, if it has none.
    pub(crate) fn parse(node: &Node<'_>, split: &str, setup: &Setup<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let name_node = object.optional("name");
        let name = or(name_node.clone(), format!("sluice-{split}"), cookie_name);
        let secret = object.required("secret").and_then(|secret| long_secret(&secret, setup));
        let max_age = or(object.optional("max_age"), MONTH, max_age);
        let path_node = object.optional("path");
        let path = or(path_node, "/", path);
        let domain = or(object.optional("domain"), None, |domain| self::domain(domain).map(Some));
        let sites = [("lax", "Lax"), ("strict", "Strict"), ("none", "None")];
        let same_site = or(object.optional("same_site"), "Lax", |site| site.choice(&sites));
        let secure_node = object.optional("secure");
        let secure = or(secure_node.clone(), true, |secure| secure.boolean());
        object.finish();
        let (name, secret, max_age) = (name?, secret?, max_age?);
        let (path, domain, same_site, secure) = (path?, domain?, same_site?, secure?);
        if let Some(node) = secure_node.filter(|_| !secure && same_site == "None") {
            node.refuse("must be true where `same_site` is none: browsers drop such a cookie otherwise");
            return None;
        }
        let is_host = !secure || domain.is_some() || path != "/";
        let refused = (name.starts_with("__Host-") && is_host) || (name.starts_with("__Secure-") && !secure);
        if let Some(node) = name_node.filter(|_| refused) {
            node.refuse("promises what isn't so, and browsers drop it: __Secure- needs `secure`, __Host- also `path: /` and no `domain`");
            return None;
        }
        let mut attributes = format!("; Max-Age={}; Path={path}", max_age.as_secs());
        if let Some(domain) = domain {
            attributes.push_str(&format!("; Domain={domain}"));
        }
        attributes.push_str(&format!("; SameSite={same_site}"));
        attributes.push_str(if secure { "; Secure; HttpOnly" } else { "; HttpOnly" });
        // A key may have any length.
        let mut begun = Hmac::<Sha256>::new_from_slice(secret.bytes()).ok()?;
        begun.update(b"sluice-canary\0");
        begun.update(split.as_bytes());
        begun.update(b"\0");
        Some(Self { name, attributes, begun })
    }

    /// Finds the id of a request whose cookie is good; none if it has none that is.
    pub(crate) fn find(&self, exchange: &Exchange<'_>, room: &mut Room) -> Option<()> {
        if exchange.find("cookie") == Found::Absent {
            return None;
        }
        // Two of one name are no cookie of ours: a subdomain may have set one of them.
        let Field::One(value) = cookie::field(&exchange.header("cookie"), &self.name) else {
            return None;
        };
        let (id, code) = value.strip_prefix(VERSION.as_bytes())?.split_at_checked(ID)?;
        let code = code.strip_prefix(b".")?;
        let mut letters = [0; CODE];
        let is_good: bool = self.code(id, &mut letters)?.as_bytes().ct_eq(code).into();
        is_good.then(|| room.put(id))
    }

    /// Makes a new id, and returns the value of the header that hands it out.
    pub(crate) fn issue(&self, exchange: &Exchange<'_>, room: &mut Room) -> Option<String> {
        let mut bytes = [0; 16];
        let drawn = [exchange.secret(), exchange.secret()].map(u64::to_le_bytes);
        for (byte, drawn) in bytes.iter_mut().zip(drawn.iter().flatten()) {
            *byte = *drawn;
        }
        let (mut letters, mut code) = ([0; ID], [0; CODE]);
        let id = Base64UrlUnpadded::encode(&bytes, &mut letters).ok()?;
        let code = self.code(id.as_bytes(), &mut code)?;
        let header = format!("{}={VERSION}{id}.{code}{}", self.name, self.attributes);
        room.put(id.as_bytes());
        Some(header)
    }

    /// Writes the code of an id.
    fn code<'a>(&self, id: &[u8], letters: &'a mut [u8; CODE]) -> Option<&'a str> {
        let mut code = self.begun.clone();
        code.update(id);
        let bytes: [u8; 32] = code.finalize().into_bytes().into();
        Base64UrlUnpadded::encode(&bytes, letters).ok()
    }
}

const MONTH: Duration = Duration::from_secs(30 * 86_400);

/// Reads the name of a cookie: a token (RFC 6265, section 4.1.1).
pub(crate) fn cookie_name(node: &Node<'_>) -> Option<String> {
    let name = node.non_empty_text()?;
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)) {
        node.refuse(format!("{name:?} is not the name of a cookie"));
        return None;
    }
    Some(name.to_owned())
}

/// Reads a secret that can't be guessed.
fn long_secret(node: &Node<'_>, setup: &Setup<'_>) -> Option<Secret> {
    let secret = Secret::parse(node, setup)?;
    if secret.bytes().len() < 32 {
        node.refuse("is too short: it needs at least 32 bytes (example: openssl rand -hex 32)");
        return None;
    }
    Some(secret)
}

/// Reads for how long a browser keeps it: whole seconds.
fn max_age(node: &Node<'_>) -> Option<Duration> {
    let age = node.duration(Duration::from_secs(1)..=Duration::from_secs(400 * 86_400))?;
    if age.subsec_nanos() != 0 {
        node.refuse("must be whole seconds");
        return None;
    }
    Some(age)
}

/// Reads the path below which it is sent.
fn path<'a>(node: &Node<'a>) -> Option<&'a str> {
    let path = node.text()?;
    if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';') {
        node.refuse(format!("{path:?} is not the path of a cookie (examples: /, /shop)"));
        return None;
    }
    Some(path)
}

/// Reads the domain below which it is sent.
fn domain<'a>(node: &Node<'a>) -> Option<&'a str> {
    let domain = node.text()?;
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if !domain.split('.').all(is_label) {
        node.refuse(format!("{domain:?} is not a domain (example: example.com)"));
        return None;
    }
    Some(domain)
}

#[cfg(test)]
mod tests;
