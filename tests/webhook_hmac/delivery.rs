//! Deliveries, signed by the test itself as providers describe it: not a line of this is shared with the filter.

use std::time::{SystemTime, UNIX_EPOCH};

use base64ct::{Base64, Encoding};
use tests::Request;
use tokens::{Algorithm, Key, Signer};

/// Returns the time in seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs()
}

/// Returns the HMAC-SHA256 of a text.
pub(super) fn mac(secret: &[u8], text: &[u8]) -> Vec<u8> {
    Signer::with(Key::secret_of(secret), Algorithm::Hs256).sign(text)
}

pub(super) fn hex_mac(secret: &[u8], text: &[u8]) -> String {
    hex(&mac(secret, text))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

pub(super) fn from_base64(text: &str) -> Vec<u8> {
    Base64::decode_vec(text).expect("base64")
}

/// Joins what is signed with a body.
pub(super) fn before(text: &str, body: &[u8]) -> Vec<u8> {
    [text.as_bytes(), body].concat()
}

/// Signs a body in the way of GitHub.
pub(crate) fn github(secret: &str, body: impl AsRef<[u8]>) -> Request {
    github_signature(Request::post("/webhooks/github", &body), secret, body.as_ref())
}

/// Signs a body that comes afterwards, or never.
pub(super) fn github_head(secret: &str, body: &[u8]) -> Request {
    github_signature(Request::new("POST", "/webhooks/github"), secret, body)
}

fn github_signature(request: Request, secret: &str, body: &[u8]) -> Request {
    request.header("x-hub-signature-256", format!("sha256={}", hex_mac(secret.as_bytes(), body)))
}

pub(crate) fn stripe(secret: &str, at: u64, body: &str) -> Request {
    let signature = hex_mac(secret.as_bytes(), format!("{at}.{body}").as_bytes());
    Request::post("/webhooks/stripe", body).header("stripe-signature", format!("t={at},v1={signature}"))
}

pub(crate) fn slack(secret: &str, at: u64, body: &str) -> Request {
    let signature = hex_mac(secret.as_bytes(), format!("v0:{at}:{body}").as_bytes());
    Request::post("/webhooks/slack", body)
        .header("content-type", "application/json")
        .header("x-slack-request-timestamp", at.to_string())
        .header("x-slack-signature", format!("v0={signature}"))
}

pub(crate) fn billing(secret: &str, at: u64, id: &str, body: &str) -> Request {
    let signature = hex_mac(secret.as_bytes(), format!("{id}.{at}.{body}").as_bytes());
    Request::post("/webhooks/billing", body)
        .header("x-billing-id", id)
        .header("x-billing-timestamp", at.to_string())
        .header("x-billing-signature", format!("sha256={signature}"))
}
