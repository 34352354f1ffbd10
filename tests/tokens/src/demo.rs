//! The tokens to try the demo with, `envoy/jwt-auth.yaml`, and the key set that it trusts.

use serde_json::json;

use crate::{Algorithm, Signer, forge, jwk, jwks};

/// A token of the demo.
pub struct Demo {
    /// What it is called.
    pub name: &'static str,
    /// What to expect of it.
    pub about: &'static str,
    /// The token.
    pub token: String,
}

/// What the key is called in the key set of the demo.
const KEY_ID: &str = "demo-1";

const HOUR: u64 = 60 * 60;

/// Returns the tokens of the demo, at this time in seconds since 1970.
pub fn tokens(now: u64) -> Vec<Demo> {
    let valid = signer().token(&payload("read", now, now + HOUR));
    let forged = forge::with_payload(&valid, &payload("read admin", now, now + HOUR));
    vec![
        Demo {
            name: "valid",
            about: "alice may read, for an hour; expect 200, and 403 below /admin",
            token: valid,
        },
        Demo {
            name: "expired",
            about: "it was over an hour ago; expect 401",
            token: signer().token(&payload("read", now.saturating_sub(2 * HOUR), now.saturating_sub(HOUR))),
        },
        Demo {
            name: "admin",
            about: "alice with the scope admin, for an hour; expect 200, below /admin too",
            token: signer().token(&payload("read admin", now, now + HOUR)),
        },
        Demo {
            name: "forged",
            about: "the valid one, with the scope admin written in after it was signed; expect 401",
            token: forged,
        },
    ]
}

/// Returns the key set of the demo.
pub fn key_set() -> String {
    jwks([jwk(signer().key(), KEY_ID)])
}

/// Returns who signs the tokens of the demo.
pub fn signer() -> Signer {
    Signer::new(Algorithm::Es256).key_id(KEY_ID)
}

fn payload(scope: &str, issued: u64, expires: u64) -> String {
    json!({
        "iss": "https://issuer.example.com",
        "aud": "api",
        "sub": "alice",
        "scope": scope,
        "iat": issued,
        "exp": expires,
    })
    .to_string()
}
