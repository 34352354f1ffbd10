//! Deliveries with one bit altered in each thing that their scheme signs, wherever that thing is: nothing of it is left
//! out, because what can't be altered fails the test. The tests in Envoy have this file as well.

use std::collections::BTreeSet;

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};

/// A delivery in its parts, and the endpoint that it is for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parts {
    pub(super) endpoint: Value,
    /// How it is signed: what the preset says, or the endpoint.
    pub(super) scheme: Value,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) authority: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// What of a delivery is signed, or is it signed with.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Part {
    Body,
    /// A field of the body, where the body isn't signed as a whole.
    Field,
    Signature,
    Timestamp,
    Id,
    /// What of the address is signed: host, path and query.
    Url,
    /// All secrets that are live.
    Secret,
}

/// A delivery with one bit altered.
pub(super) struct Altered {
    pub(super) part: Part,
    pub(super) parts: Parts,
    /// The reason for which it has to be refused.
    pub(super) reason: &'static str,
}

/// Returns what is altered of deliveries of a scheme.
pub(super) fn signed(scheme: &Value) -> BTreeSet<Part> {
    let mut all = BTreeSet::from([Part::Signature]);
    let algorithm = scheme["algorithm"].as_str().unwrap();
    if algorithm.starts_with("hmac-") || algorithm.ends_with("-secret") {
        all.insert(Part::Secret);
    }
    match (algorithm, &scheme["content"]) {
        ("shared-secret", _) => {}
        // A token has the instant and a digest of the body.
        ("jwt-es256", _) => all.extend([Part::Body, Part::Timestamp]),
        (_, Value::Null) => all.extend([Part::Body]),
        (_, content) => {
            let several = content.as_array().into_iter().flatten().chain([content]);
            all.extend(several.filter_map(Value::as_str).flat_map(tokens).filter_map(
                |(name, _)| match name {
                    "body" | "form_params" => Some(Part::Body),
                    "json" | "form" => Some(Part::Field),
                    "timestamp" => Some(Part::Timestamp),
                    "id" => Some(Part::Id),
                    "url" | "url_decoded" => Some(Part::Url),
                    // Another method is more than a bit.
                    "method" => None,
                    other => panic!("nobody alters {other}"),
                },
            ));
        }
    }
    // Where they aren't in the content, they are in the body that is signed.
    for (field, part) in [("body_hash", Part::Body), ("timestamp", Part::Timestamp), ("id", Part::Id)] {
        if scheme[field].is_object() {
            all.insert(part);
        }
    }
    all
}

/// Returns the places in a template, each with what stands behind its colon.
fn tokens(template: &str) -> impl Iterator<Item = (&str, &str)> {
    let tokens = template.split('{').skip(1).map(|token| token.split_once('}').unwrap().0);
    tokens.map(|token| token.split_once(':').unwrap_or((token, "")))
}

impl Parts {
    /// Reads a vector.
    pub(super) fn of(vector: &Value, presets: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut endpoint = json!({});
        for field in ["provider", "scheme"] {
            if !vector[field].is_null() {
                endpoint[field] = vector[field].clone();
            }
        }
        for (field, given) in vector["fields"].as_object().into_iter().flatten() {
            endpoint[field] = given.clone();
        }
        let secrets = vector["secrets"].as_array().into_iter().flatten();
        let secrets: Vec<_> = secrets.map(|secret| json!({"inline": secret, "allow_weak": true})).collect();
        if !secrets.is_empty() {
            endpoint["secrets"] = json!(secrets);
        }
        if let Some(token) = endpoint.get_mut("handshake_token") {
            token["allow_weak"] = json!(true);
        }
        let scheme = match vector["provider"].as_str() {
            Some(provider) => &presets[provider]["scheme"],
            None => &vector["scheme"],
        };
        let target = &vector["scheme_authority_path"];
        let headers = vector["headers"].as_array().unwrap().iter();
        Self {
            endpoint,
            scheme: scheme.clone(),
            method: text(&vector["method"]),
            path: text(&target["path"]),
            authority: text(&target["authority"]),
            headers: headers.map(|header| (text(&header[0]), text(&header[1]))).collect(),
            body: match vector["body_base64"].as_str() {
                Some(text) => Base64::decode_vec(text).unwrap(),
                None => text(&vector["body"]).into_bytes(),
            },
        }
    }

    /// Returns the delivery with one bit altered, in everything that is signed.
    pub(super) fn altered(&self) -> Vec<Altered> {
        let mut all = Vec::new();
        for part in signed(&self.scheme) {
            let found = match part {
                Part::Body if self.body.is_empty() => continue,
                Part::Body => vec![self.with_another_body()],
                Part::Field => self.with_other_fields(),
                Part::Signature => self.with_another_signature(),
                Part::Timestamp => self.with_another_timestamp(),
                Part::Id => self.changed(&self.scheme["id"], &flipped),
                Part::Url => self.with_other_addresses(),
                Part::Secret => vec![self.with_other_secrets()],
            };
            assert!(!found.is_empty(), "{part:?} is signed, and isn't there: {self:?}");
            for parts in found {
                assert_ne!(&parts, self, "{part:?} isn't altered");
                all.push(Altered { part, parts, reason: self.reason(part) });
            }
        }
        all
    }

    /// Returns the same of a delivery of which this is expected: some handshakes answer anybody, and aren't signed.
    pub(super) fn altered_if_signed(&self, expect: &Value) -> Vec<Altered> {
        let is_signed = expect["pass"] == true || !self.with_another_signature().is_empty();
        if is_signed { self.altered() } else { Vec::new() }
    }

    fn reason(&self, part: Part) -> &'static str {
        let is_form = || self.headers.iter().any(|(_, value)| value.contains("x-www-form-urlencoded"));
        let by_digest =
            self.scheme["algorithm"] == "jwt-es256" || (self.scheme["body_hash"].is_object() && !is_form());
        if part == Part::Body && by_digest { "digest" } else { "signature" }
    }

    /// The lowest bit: of what is percent-encoded, the case doesn't count.
    fn with_another_body(&self) -> Self {
        let mut other = self.clone();
        // Where the timestamp is in it, it must still be found: so it is in the first name that the bit is altered.
        let is_read = self.scheme["timestamp"]["json"].is_string();
        let first = self.body.iter().position(u8::is_ascii_alphanumeric).filter(|_| is_read);
        let place = first.unwrap_or(self.body.len() / 2);
        other.body[place] ^= 1;
        other
    }

    fn with_other_fields(&self) -> Vec<Self> {
        let content = &self.scheme["content"];
        let several = content.as_array().into_iter().flatten().chain([content]);
        let fields = several.filter_map(Value::as_str).flat_map(tokens);
        let fields: BTreeSet<_> = fields.filter(|(place, _)| ["json", "form"].contains(place)).collect();
        fields.into_iter().flat_map(|(place, name)| self.changed(&json!({place: name}), &flipped)).collect()
    }

    /// Any of several signatures is enough, so there is one bit altered in each.
    fn with_another_signature(&self) -> Vec<Self> {
        let source = &self.scheme["signature"];
        if self.scheme["algorithm"] != "jwt-es256" {
            return self.changed(source, &flipped);
        }
        self.changed(source, &|token| {
            let (signed, signature) = token.rsplit_once('.')?;
            Some(format!("{signed}.{}", flipped(signature)?))
        })
    }

    /// One bit of its last digit, so that it is a second from where it was, or less.
    fn with_another_timestamp(&self) -> Vec<Self> {
        if self.scheme["algorithm"] != "jwt-es256" {
            return self.changed(&self.scheme["timestamp"], &with_another_last_digit);
        }
        self.changed(&self.scheme["signature"], &|token| {
            let [header, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().ok()?;
            let payload = String::from_utf8(Base64UrlUnpadded::decode_vec(payload).ok()?).ok()?;
            let payload = in_json(&payload, "iat", &with_another_last_digit);
            Some(format!("{header}.{}.{signature}", Base64UrlUnpadded::encode_string(payload.as_bytes())))
        })
    }

    /// The address is the configured one as far as it goes, else that of the request.
    fn with_other_addresses(&self) -> Vec<Self> {
        let any_port = self.scheme["any_port"] == true;
        let mut all = Vec::new();
        let configured = self.endpoint["url"].as_str().map(|url| url.split_once("://").unwrap());
        if let Some((scheme, address)) = configured {
            all.extend(addresses(address, any_port).into_iter().map(|address| {
                let mut other = self.clone();
                other.endpoint["url"] = json!(format!("{scheme}://{address}"));
                other
            }));
        }
        let host = if configured.is_none() { self.authority.as_str() } else { "" };
        if configured.is_none_or(|(_, address)| !address.contains(['/', '?'])) {
            all.extend(addresses(&format!("{host}{}", self.path), any_port).into_iter().map(|address| {
                let path = address.find('/').unwrap();
                let authority = if host.is_empty() { &self.authority } else { &address[..path] };
                Self { authority: authority.to_owned(), path: address[path..].to_owned(), ..self.clone() }
            }));
        }
        all
    }

    fn with_other_secrets(&self) -> Self {
        let mut other = self.clone();
        for secret in other.endpoint["secrets"].as_array_mut().unwrap() {
            secret["inline"] = json!(flipped(secret["inline"].as_str().unwrap()).unwrap());
        }
        other
    }

    /// Changes every value that a source names. None if there is none.
    fn changed(&self, source: &Value, change: &dyn Fn(&str) -> Option<String>) -> Vec<Self> {
        let mut other = self.clone();
        let key_id = self.endpoint["key_id"].as_str().unwrap_or_default();
        let body = || String::from_utf8(self.body.clone()).unwrap();
        if let Some(name) = source["query"].as_str() {
            let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
            let query = in_form(query, name, &|value| in_list(value, source, key_id, encoded, change));
            other.path = format!("{path}?{query}");
        } else if let Some(name) = source["form"].as_str() {
            let body = in_form(&body(), name, &|value| in_list(value, source, key_id, encoded, change));
            other.body = body.into_bytes();
        } else if let Some(path) = source["json"].as_str() {
            other.body = in_json(&body(), path.rsplit('.').next().unwrap(), change).into_bytes();
        } else {
            let names = source["header"].as_array().into_iter().flatten().chain([&source["header"]]);
            let names: Vec<_> = names.filter_map(Value::as_str).collect();
            for (name, value) in &mut other.headers {
                if names.contains(&name.as_str()) {
                    *value = in_list(value, source, key_id, str::to_owned, change);
                }
            }
        }
        if other == *self { Vec::new() } else { vec![other] }
    }
}

/// Changes each item of a list that counts, or the text if it is no list.
fn in_list(
    text: &str,
    source: &Value,
    key_id: &str,
    written: fn(&str) -> String,
    change: &dyn Fn(&str) -> Option<String>,
) -> String {
    let word = |name: &str| source[name].as_str().map(written);
    let field = source["field"].as_str().map(|field| written(&field.replace("{key_id}", key_id)));
    let head = field.map(|field| format!("{field}{}", word("assign").unwrap_or(written("="))));
    let head = format!("{}{}", head.unwrap_or_default(), word("prefix").unwrap_or_default());
    let separator = word("separator");
    let pieces = match &separator {
        Some(separator) => text.split(separator.as_str()).collect(),
        None => vec![text],
    };
    let pieces = pieces.into_iter().map(|piece| match piece.trim_start().strip_prefix(&head) {
        Some(rest) => {
            let value = rest.trim_end();
            let (before, after) = (&piece[..piece.len() - rest.len()], &rest[value.len()..]);
            format!("{before}{}{after}", change(value).unwrap_or_else(|| value.to_owned()))
        }
        None => piece.to_owned(),
    });
    pieces.collect::<Vec<_>>().join(separator.as_deref().unwrap_or_default())
}

/// Changes the fields of a form that have this name.
fn in_form(text: &str, name: &str, change: &dyn Fn(&str) -> String) -> String {
    let fields = text.split('&').map(|field| match field.split_once('=') {
        Some((key, value)) if key == name => format!("{key}={}", change(value)),
        _ => field.to_owned(),
    });
    fields.collect::<Vec<_>>().join("&")
}

/// Changes the members of this name that are texts or numbers, and not a byte beside them.
fn in_json(text: &str, name: &str, change: &dyn Fn(&str) -> Option<String>) -> String {
    let key = format!("{name:?}");
    let (mut done, mut rest) = (String::new(), text);
    while let Some(place) = rest.find(&key) {
        let (before, after) = rest.split_at(place + key.len());
        done.push_str(before);
        rest = after;
        let Some(value) = after.trim_start().strip_prefix(':').map(str::trim_start) else {
            continue;
        };
        let value = value.strip_prefix('"').unwrap_or(value);
        let gap = &after[..after.len() - value.len()];
        let end = if gap.ends_with('"') {
            closing_quote(value)
        } else {
            value.find(|letter| " \n,}{[".contains(letter))
        };
        let (inner, after) = value.split_at(end.unwrap_or(value.len()));
        done.push_str(gap);
        done.push_str(&change(inner).filter(|_| inner != "null").unwrap_or_else(|| inner.to_owned()));
        rest = after;
    }
    done + rest
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        closes
    })
}

/// Returns an address, host first, with one bit altered in each of its words.
fn addresses(address: &str, any_port: bool) -> Vec<String> {
    let end = address.find(['/', '?']).unwrap_or(address.len());
    let (authority, target) = address.split_at(end);
    // Twilio signs some port of several.
    let host = if any_port { authority.split(':').next().unwrap_or_default() } else { authority };
    let hosts = words(host).into_iter().map(|other| format!("{other}{}{target}", &authority[host.len()..]));
    hosts.chain(words(target).into_iter().map(|other| format!("{authority}{other}"))).collect()
}

/// Returns a text with one bit altered in each of its words.
fn words(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut from = 0;
    for word in text.split(|letter: char| !letter.is_ascii_alphanumeric()) {
        let end = from + word.len();
        all.extend(flipped(word).map(|word| format!("{}{word}{}", &text[..from], &text[end..])));
        from = end + 1;
    }
    all
}

/// Returns a text with the lowest bit of one letter altered: in the middle, because at the end base64 has bits to spare,
/// and a digit if there is one, because it is one in every alphabet. None if no letter becomes another one.
fn flipped(text: &str) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let (length, middle) = (bytes.len(), bytes.len() / 2);
    let sound = (0..length)
        .filter(|place| bytes[*place].is_ascii_alphanumeric() && (bytes[*place] ^ 1).is_ascii_alphanumeric());
    let place = sound.min_by_key(|place| {
        let from_middle = place.abs_diff(middle);
        (length / 4 < from_middle, !bytes[*place].is_ascii_digit(), from_middle)
    })?;
    bytes[place] ^= 1;
    String::from_utf8(bytes).ok()
}

/// Returns an instant with the lowest bit of its last digit altered.
fn with_another_last_digit(text: &str) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let last = bytes.iter().rposition(u8::is_ascii_digit)?;
    bytes[last] ^= 1;
    String::from_utf8(bytes).ok()
}

/// Writes a text as forms have it.
fn encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let written = |byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(written).collect()
}
