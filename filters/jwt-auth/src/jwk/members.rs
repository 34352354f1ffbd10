//! The members of a JSON object, read the way RFC 7517 reads them: names are unique, and unknown ones don't
//! matter.

use std::collections::BTreeSet;

use base64ct::{Base64UrlUnpadded, Encoding};
use kit::config::words::quoted;
use kit::value::Value;

/// The members of an object.
pub(super) struct Members<'a>(&'a [(String, Value)]);

impl<'a> Members<'a> {
    /// Takes an object.
    ///
    /// # Errors
    ///
    /// It isn't one, or a name occurs twice: readers would differ on which one counts (RFC 7517 section 4).
    pub(super) fn of(value: &'a Value) -> Result<Self, String> {
        let Value::Object(members) = value else {
            return Err(format!("it is {}, not an object", value.kind()));
        };
        let mut names = BTreeSet::new();
        match members.iter().find(|(name, _)| !names.insert(name)) {
            Some((name, _)) => Err(format!("its member {} occurs twice", quoted(name))),
            None => Ok(Self(members)),
        }
    }

    /// Returns a member that is text, if it is there.
    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(other) => Err(format!("its \"{name}\" is {}, not text", other.kind())),
        }
    }

    /// Returns a member that has to be there, and text.
    pub(super) fn required(&self, name: &str) -> Result<&'a str, String> {
        self.text(name)?.ok_or_else(|| format!("it has no member \"{name}\""))
    }

    /// Returns a member that has to be there: octets in base64url without padding (RFC 7515 section 2).
    pub(super) fn octets(&self, name: &str) -> Result<Vec<u8>, String> {
        Base64UrlUnpadded::decode_vec(self.required(name)?)
            .map_err(|_error| format!("its \"{name}\" is not base64url without padding"))
    }

    /// Returns a member that is a list, if it is there.
    pub(super) fn list(&self, name: &str) -> Result<Option<&'a [Value]>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::List(list)) => Ok(Some(list)),
            Some(other) => Err(format!("its \"{name}\" is {}, not a list", other.kind())),
        }
    }

    /// Checks that a key is for signatures, as far as it says what it is for (RFC 7517 sections 4.2 and 4.3).
    pub(super) fn for_signatures(&self) -> Result<(), String> {
        if let Some(purpose) = self.text("use")?
            && purpose != "sig"
        {
            return Err(format!("its \"use\" is {}, not \"sig\"", quoted(purpose)));
        }
        let Some(operations) = self.list("key_ops")? else { return Ok(()) };
        let mut names = BTreeSet::new();
        for operation in operations {
            let Value::Text(name) = operation else {
                return Err(format!("its \"key_ops\" has {}, not only texts", operation.kind()));
            };
            if !names.insert(name.as_str()) {
                return Err(format!("its \"key_ops\" has {} twice", quoted(name)));
            }
        }
        if names.contains("verify") { Ok(()) } else { Err(String::from("its \"key_ops\" lacks \"verify\"")) }
    }

    /// Checks that a key isn't a private one (RFC 7518 section 6): an issuer that publishes it can't be
    /// believed.
    pub(super) fn public(&self) -> Result<(), String> {
        let private = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
        match private.iter().find(|name| self.get(name).is_some()) {
            Some(name) => Err(format!("its private member \"{name}\" is there for all to read")),
            None => Ok(()),
        }
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}
