//! The answer to a handshake, with the challenge in its places.

use std::borrow::Cow;

use kit::config::{Node, or};
use kit::header::parse_name;
use kit::reply::{Grpc, GrpcStatus, Reply};
use kit::value::Value;

/// What a provider is answered.
#[derive(Debug)]
pub(super) struct Answer {
    status: u16,
    content_type: Option<String>,
    body: String,
    headers: Vec<(String, String)>,
}

/// What stands for the challenge, and for its code with the first secret.
pub(super) const CHALLENGE: &str = "{challenge}";
pub(super) const SIGNATURE: &str = "{signature}";

impl Answer {
    pub(super) fn parse(node: &Node<'_>, key_id: Option<&str>) -> Option<Self> {
        let mut object = node.object()?;
        let status = or(object.optional("status"), 200, |status| status.integer(200..=299));
        let content_type = object.optional("content_type").map(|text| printable(&text));
        let body = or(object.optional("body"), String::new(), |body| body.text().map(str::to_owned));
        let headers = or(object.optional("headers"), Vec::new(), |headers| {
            let entries = headers.object()?.entries();
            let headers: Vec<_> = entries
                .iter()
                .map(|(name, value)| {
                    let name_value = Value::Text((*name).to_owned());
                    Some((parse_name(&value.over(&name_value))?, printable(value)?))
                })
                .collect();
            headers.into_iter().collect()
        });
        object.finish();
        let with_id = |text: String| text.replace("{key_id}", key_id.unwrap_or_default());
        let body = body?;
        if body.contains("{key_id}") && key_id.is_none() {
            node.refuse("has {key_id}, which stands for the `key_id` of the endpoint; it has none");
            return None;
        }
        Some(Self {
            status: u16::try_from(status?).ok()?,
            content_type: content_type.map_or(Some(None), |text| text.map(Some))?,
            body: with_id(body),
            headers: headers?,
        })
    }

    pub(super) fn has(&self, token: &str) -> bool {
        self.body.contains(token) || self.headers.iter().any(|(_, value)| value.contains(token))
    }

    pub(super) fn fill(&self, challenge: &str, code: &str) -> Reply {
        let is_json = self.content_type.as_deref().is_some_and(|kind| kind.contains("json"));
        let escaped = if is_json { escaped(challenge) } else { challenge.to_owned() };
        let mut headers: Vec<(Cow<'static, str>, Vec<u8>)> = Vec::new();
        if let Some(content_type) = &self.content_type {
            headers.push(("content-type".into(), content_type.clone().into_bytes()));
            // Whoever asked chose the text: no browser shall take it for a page.
            headers.push(("x-content-type-options".into(), b"nosniff".to_vec()));
        }
        for (name, value) in &self.headers {
            headers.push((name.clone().into(), put(value, challenge, code).into_bytes()));
        }
        Reply {
            status: self.status,
            details: "sluice_webhook_hmac_handshake",
            headers,
            body: put(&self.body, &escaped, code).into_bytes(),
            grpc: Grpc { status: GrpcStatus::Unknown, message: "handshake".into() },
        }
    }
}

/// Puts a challenge and its code in their places, in one go: a challenge that looks like a place is none.
fn put(template: &str, challenge: &str, code: &str) -> String {
    let parts: Vec<String> = template.split(CHALLENGE).map(|part| part.replace(SIGNATURE, code)).collect();
    parts.join(challenge)
}

/// Escapes visible ASCII for a JSON string.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn printable(node: &Node<'_>) -> Option<String> {
    let text = node.non_empty_text()?;
    if !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        node.refuse("must be printable ASCII");
        return None;
    }
    Some(text.to_owned())
}
