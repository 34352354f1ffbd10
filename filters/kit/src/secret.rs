//! Secrets of a configuration: from the environment of the module, in no message and in no log.

use std::fmt;

use base64ct::{Base64, Base64Unpadded, Base64Url, Base64UrlUnpadded, Encoding as _};
use subtle::ConstantTimeEq as _;

use crate::config::{Node, Object};
use crate::path::from_hex;
use crate::setup::Setup;

/// Bytes that nobody else may know.
#[derive(Clone)]
pub struct Secret {
    bytes: Vec<u8>,
    inline: bool,
}

/// How a secret is written.
#[derive(Clone, Copy)]
enum Encoding {
    Utf8,
    Base64,
    Base64Url,
    Hex,
}

const ENCODINGS: [(&str, Encoding); 4] = [
    ("utf8", Encoding::Utf8),
    ("base64", Encoding::Base64),
    ("base64url", Encoding::Base64Url),
    ("hex", Encoding::Hex),
];

const NEITHER: &str = "needs env, the name of an environment variable (or inline, the secret itself)";
const BOTH: &str = "has both env and inline; give one";
const WHERE: &str =
    "it goes under environment_variables in the vm_config of Envoy, or env in the vmConfig of Istio";

impl Secret {
    /// Parses `{env: NAME}` or `{inline: <secret>}`, and an `encoding`: `utf8`, which is the default, `base64`,
    /// `base64url`, both with or without padding, or `hex`.
    ///
    /// No message about it shows what may be the secret.
    pub fn parse(node: &Node<'_>, setup: &Setup<'_>) -> Option<Self> {
        let mut object = node.clone().confidential().object()?;
        let encoding = match object.optional("encoding") {
            Some(encoding) => encoding.choice(&ENCODINGS),
            None if object.has("encoding") => None,
            None => Some(Encoding::Utf8),
        };
        Self::read(object, setup, |text| Some(decode(text, encoding?)))
    }

    /// Reads `env` or `inline` of an object whose other fields were asked for, and decodes what it finds there. The
    /// object must be of a [confidential](Node::confidential) node.
    ///
    /// `decode` says why a text is no secret, and nothing of the text; none if that is told already.
    pub fn read(
        object: Object<'_>,
        setup: &Setup<'_>,
        decode: impl FnOnce(&str) -> Option<Result<Vec<u8>, &'static str>>,
    ) -> Option<Self> {
        let (source, node) = object.one_of(&["env", "inline"], NEITHER, BOTH)?;
        let text = node.non_empty_text()?;
        let inline = source == "inline";
        let written = if inline { text.to_owned() } else { variable(&node, text, setup)? };
        match decode(&written)? {
            Ok(bytes) => Some(Self { bytes, inline }),
            Err(problem) => refused(&node, problem),
        }
    }

    /// Returns the secret.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Tells whether it stands in the configuration itself, where more people see it: good for development.
    pub fn is_inline(&self) -> bool {
        self.inline
    }

    /// Tells whether these bytes are the secret, in a time that tells nothing but whether the lengths are equal.
    pub fn equals(&self, bytes: &[u8]) -> bool {
        self.bytes.ct_eq(bytes).into()
    }
}

/// Shows nothing: not even how long it is.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Reads an environment variable.
fn variable(node: &Node<'_>, name: &str, setup: &Setup<'_>) -> Option<String> {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !name.bytes().all(letters) || name.starts_with(|first: char| first.is_ascii_digit()) {
        // Perhaps it is the secret itself.
        return refused(
            node,
            "is not the name of an environment variable: letters, digits and _, no digit first",
        );
    }
    match setup.environment(name) {
        Some(value) if !value.is_empty() => Some(value),
        Some(_) | None => {
            // The same, unless it is written as such names are.
            let name = if name.bytes().any(|byte| byte.is_ascii_lowercase()) {
                String::new()
            } else {
                format!(" {name}")
            };
            refused(node, format!("the environment variable{name} is not set, or is empty: {WHERE}"))
        }
    }
}

fn decode(text: &str, encoding: Encoding) -> Result<Vec<u8>, &'static str> {
    let padded = text.ends_with('=');
    match encoding {
        Encoding::Utf8 => utf8(text),
        Encoding::Base64 => base64(text),
        Encoding::Base64Url => {
            let decoded =
                if padded { Base64Url::decode_vec(text) } else { Base64UrlUnpadded::decode_vec(text) };
            decoded.or(Err("the secret is not base64url: letters, digits, - and _"))
        }
        Encoding::Hex => hex(text),
    }
}

/// Takes a secret whose text is its bytes.
///
/// # Errors
///
/// It begins or ends with white space, which nobody sees.
pub fn utf8(text: &str) -> Result<Vec<u8>, &'static str> {
    if text.trim() != text {
        return Err(
            "the secret begins or ends with white space; if that is meant, write it in another encoding",
        );
    }
    Ok(text.as_bytes().to_vec())
}

/// Decodes a secret in base64, with or without padding.
///
/// # Errors
///
/// It isn't base64.
pub fn base64(text: &str) -> Result<Vec<u8>, &'static str> {
    let padded = text.ends_with('=');
    let decoded = if padded { Base64::decode_vec(text) } else { Base64Unpadded::decode_vec(text) };
    decoded.or(Err("the secret is not base64: letters, digits, + and /"))
}

/// Decodes a secret in hex, in either case.
///
/// # Errors
///
/// It isn't hex.
pub fn hex(text: &str) -> Result<Vec<u8>, &'static str> {
    hexadecimal(text.as_bytes()).ok_or("the secret is not hex: two digits for each byte")
}

/// Decodes hex in either case; none if it is anything else.
pub fn hexadecimal(text: &[u8]) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_chunks::<2>() else {
        return None;
    };
    let mut bytes = Vec::with_capacity(pairs.len());
    for [high, low] in pairs {
        bytes.push(from_hex(*high, *low)?);
    }
    Some(bytes)
}

fn refused<T>(node: &Node<'_>, text: impl Into<String>) -> Option<T> {
    node.refuse(text);
    None
}

#[cfg(test)]
mod tests;
