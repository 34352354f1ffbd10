//! What webhook-hmac's schema and parser accept and refuse, and what its presets and its list of providers say.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use tests::workspace;

use super::shipped::blocks;
use super::{Filter, Mistake, replaced, yaml};

/// All that the tests know of webhook-hmac.
pub(super) const WEBHOOK_HMAC: Filter = Filter {
    name: "webhook-hmac",
    kind: &::webhook_hmac::KIND,
    environment,
    everything: EVERYTHING,
    wrong,
    right,
    wrong_for_the_parser,
    // A WasmPlugin can't say that headers are held, and what needs that isn't there.
    differs_in_istio: &["/hold", "/headers", "/sign"],
};

/// Returns a secret of its own for each name. Its 64 digits are one in every encoding: as text, as hex and as base64.
fn environment(name: &str) -> Option<String> {
    match name {
        "NOWHERE" => None,
        "SHORT" => Some("short".to_owned()),
        "ED25519_KEY" => Some("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=".to_owned()),
        "ED25519_KEY_OLD" => Some("TM0Imyj/ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U+4pvs=".to_owned()),
        "SPACED" => Some(" 0123456789abcdef".to_owned()),
        _ => {
            let own = name.bytes().rev().flat_map(|byte| [byte >> 4, byte & 15]);
            Some(own.chain((0..16).cycle()).take(64).map(|digit| format!("{digit:x}")).collect())
        }
    }
}

/// A configuration with every object that there can be, and of each one that knows all its fields.
const EVERYTHING: &str = "
mode: enforce
prefix: /webhooks
hold: headers
body_timeout: 30s
tags: all
headers: {endpoint: x-a, provider: x-b, id: x-c, key: x-d, duplicate: x-e}
endpoints:
  - name: preset
    match:
      path: {template: '/webhooks/{id}'}
      methods: [POST]
      hosts: ['*.example.com']
      headers: [{name: x-tier, exact: gold, not: true}]
      query: [{name: debug, present: true}]
    methods: [GET, POST]
    provider: braintree
    secrets: [{env: BRAINTREE_SECRET, allow_weak: false}, {env: BRAINTREE_SECRET_OLD}]
    key_id: integration_public_key
    url: https://hooks.example.com
    max_body: 64KiB
    replay: {id: digest, window: 10m, entries: 10000, on_duplicate: forward}
    handshake:
      - name: question
        method: GET
        when:
          - {header: [x-a, x-b], separator: ',', assign: '=', field: v1, prefix: 'a', equals: b}
          - {query: challenge, present: true}
        signed: false
        token: {query: token}
        challenge: {query: challenge, characters: hex, min: 1, max: 32}
        respond:
          status: 200
          content_type: text/plain
          body: '{challenge} {signature} {key_id}'
          headers: {x-challenge: '{challenge}'}
    handshake_token: {env: VERIFY_TOKEN}
    remove_signature: true
    status: 401
    malformed_status: 400
  - name: own
    match: {path: {exact: /own}}
    scheme:
      algorithm: ecdsa-p256
      key: base64
      signature: {header: x-signature, separator: ' ', assign: ',', field: '{key_id}', prefix: 'a', encoding: base64, format: raw, repeated: true}
      timestamp: {form: timestamp, separator: ',', assign: '=', field: t, prefix: 'a', format: unix-ms}
      id: {json: event.id, separator: ',', assign: '=', field: t, prefix: 'a'}
      content: ['{timestamp}.{id}.{body}', '{url_decoded}{query}']
      any_port: true
      body_hash: {query: bodySHA256, separator: ',', assign: '=', field: t, prefix: 'a', encoding: hex}
    public_keys: [MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==]
    key_id: v1
    tolerance: {past: 5m, future: 1m}
    replay: {id: {json: event.id}}
  - name: items
    match: {path: {exact: /items}}
    scheme:
      algorithm: hmac-sha256
      signature: {json: signature}
      each: items
    secrets: [{env: ITEMS_SECRET}]
    replay: off
    handshake: off
  - name: plaid
    match: {path: {prefix: /plaid}}
    provider: plaid
    key_set: {keys: [{kty: EC, crv: P-256, kid: '1', x: MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4, y: 4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM, use: sig}]}
    tolerance: 5m
sign:
  - name: preset
    match: {path: {prefix: /partners}}
    provider: standard-webhooks
    secrets: [{env: STANDARD_WEBHOOKS_SECRET}, {env: STANDARD_WEBHOOKS_SECRET_OLD}]
    max_body: 1MiB
  - name: own
    scheme: {algorithm: hmac-sha512, signature: {header: x-signature, prefix: '{key_id}'}, content: '{method}{url}{body}'}
    secrets: [{env: OUT_SECRET}]
    key_id: '2026'
    url: https://partner.example.com
";

/// What is wrong, where the parser says it is within the endpoint, and what replaces fields of one that is right, which
/// has a preset; `~` takes a field away.
const WRONG_ENDPOINTS: [(&str, &str, &str); 61] = [
    ("an endpoint has a name", ".name", "name: ~"),
    ("a name has no capitals", ".name", "name: Stripe"),
    ("a name is not that of no endpoint", ".name", "name: none"),
    ("a field is misspelt", ".secret", "secret: a"),
    ("an endpoint says how deliveries are signed", "", "provider: ~"),
    ("a provider is known", ".provider", "provider: strip"),
    ("a provider is a text", ".provider", "provider: [stripe]"),
    (
        "a scheme stands alone",
        ".provider",
        "scheme: {algorithm: hmac-sha256, signature: {header: x-signature}}",
    ),
    ("an endpoint says what it is for", ".match.path", "match: {path: {}}"),
    ("methods are a list", ".methods", "methods: POST"),
    ("methods are not empty", ".methods", "methods: []"),
    ("methods are upper case", ".methods[0]", "methods: [post]"),
    ("an endpoint has secrets", "", "secrets: ~"),
    ("secrets are a list", ".secrets", "secrets: {env: A}"),
    ("secrets are not empty", ".secrets", "secrets: []"),
    (
        "there are eight secrets at the most",
        ".secrets",
        "secrets: [{env: A}, {env: B}, {env: C}, {env: D}, {env: E}, {env: F}, {env: G}, {env: H}, {env: I}]",
    ),
    ("a secret is listed once", ".secrets[1]", "secrets: [{env: A}, {env: A}]"),
    ("a secret is no text", ".secrets[0]", "secrets: [A]"),
    ("a secret is somewhere", ".secrets[0]", "secrets: [{allow_weak: true}]"),
    ("a secret is in one place", ".secrets[0]", "secrets: [{env: A, inline: '0123456789abcdef'}]"),
    ("a variable has the name of one", ".secrets[0].env", "secrets: [{env: 'my secret'}]"),
    ("a secret is weak or not", ".secrets[0].allow_weak", "secrets: [{env: A, allow_weak: 'yes'}]"),
    ("the scheme says how a secret is written", ".secrets[0].encoding", "secrets: [{env: A, encoding: hex}]"),
    ("what signs with a secret has no public key", ".public_keys", "public_keys: [a]"),
    ("what signs with a secret has no set of keys", ".key_set", "{secrets: ~, key_set: {keys: [{}]}}"),
    ("a public key is no secret", ".secrets", "provider: discord"),
    ("what has a public key needs one", "", "{provider: sendgrid, secrets: ~}"),
    ("public keys are some", ".public_keys", "{provider: discord, secrets: ~, public_keys: []}"),
    ("a public key is a text", ".public_keys[0]", "{provider: discord, secrets: ~, public_keys: [5]}"),
    ("a set of keys is no secret", ".secrets", "provider: plaid"),
    ("what has a set of keys needs one", "", "{provider: plaid, secrets: ~}"),
    ("a set has keys", ".key_set.keys", "{provider: plaid, secrets: ~, key_set: {}}"),
    ("the keys of a set are some", ".key_set.keys", "{provider: plaid, secrets: ~, key_set: {keys: []}}"),
    ("a set is nothing else", ".key_set.key", "{provider: plaid, secrets: ~, key_set: {key: a, keys: [{}]}}"),
    (
        "a key of a set has its id",
        ".key_set.keys[0]",
        "{provider: plaid, secrets: ~, key_set: {keys: [{kty: EC, crv: P-256, x: MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4, y: 4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM}]}}",
    ),
    (
        "a key of a set is on its curve",
        ".key_set.keys[0].crv",
        "{provider: plaid, secrets: ~, key_set: {keys: [{kty: EC, crv: P-384, kid: a, x: MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4, y: 4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM}]}}",
    ),
    (
        "a coordinate is whole",
        ".key_set.keys[0]",
        "{provider: plaid, secrets: ~, key_set: {keys: [{kty: EC, crv: P-256, kid: a, x: AAAA, y: 4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM}]}}",
    ),
    ("an id has no spaces", ".key_id", "key_id: 'a b'"),
    ("an id is not empty", ".key_id", "key_id: ''"),
    ("who signs the address knows it", "", "provider: square"),
    ("who names the key knows it", "", "provider: braintree"),
    ("an address is absolute", ".url", "url: /webhooks"),
    ("an address is of the web", ".url", "url: 'ftp://example.com'"),
    ("an address has a host", ".url", "url: 'https:///a'"),
    ("an address has no fragment", ".url", "url: 'https://example.com#a'"),
    ("a tolerance has a unit", ".tolerance", "tolerance: 300"),
    ("a tolerance is not zero", ".tolerance", "tolerance: 0s"),
    ("a tolerance has both ends", ".tolerance.future", "tolerance: {past: 5m}"),
    ("a tolerance is for a timestamp", ".tolerance", "{provider: github, tolerance: 5m}"),
    ("a size has a known unit", ".max_body", "max_body: 1 megabyte"),
    ("a replay is off or told", ".replay", "replay: on"),
    ("a replay has an id", ".replay.id", "replay: {id: header}"),
    ("a replay lasts for a while", ".replay.window", "replay: {window: 0s}"),
    ("there is room for a replay", ".replay.entries", "replay: {entries: 0}"),
    ("what becomes of a duplicate is known", ".replay.on_duplicate", "replay: {on_duplicate: drop}"),
    ("a secret tells no deliveries apart", ".replay", "{provider: telegram, replay: {window: 1h}}"),
    (
        "nothing is signed with a secret that is sent",
        ".replay.id",
        "{provider: telegram, replay: {id: digest}}",
    ),
    ("a token is for a handshake that has one", ".handshake_token", "handshake_token: {env: VERIFY_TOKEN}"),
    ("signatures are removed or not", ".remove_signature", "remove_signature: 1"),
    ("a refusal is an error", ".status", "status: 200"),
    ("a refusal has a status", ".malformed_status", "malformed_status: 600"),
];

/// The same within the scheme of an endpoint.
const WRONG_SCHEMES: [(&str, &str, &str); 38] = [
    ("a scheme has an algorithm", ".algorithm", "algorithm: ~"),
    ("an algorithm is known", ".algorithm", "algorithm: md5"),
    ("the case of an algorithm counts", ".algorithm", "algorithm: HMAC-SHA256"),
    ("a field is misspelt", ".contents", "contents: '{body}'"),
    ("keys are written in a known way", ".key", "key: base32"),
    ("a scheme has a signature", ".signature", "signature: ~"),
    ("a signature is somewhere", ".signature", "signature: {encoding: hex}"),
    ("a signature is in one place", ".signature", "signature: {header: x-a, query: a}"),
    ("a place is known", ".signature.cookie", "signature: {cookie: a}"),
    ("a header is no pseudo-header", ".signature.header", "signature: {header: ':path'}"),
    ("a header is not the host", ".signature.header", "signature: {header: Host}"),
    ("headers are some", ".signature.header", "signature: {header: []}"),
    ("each header has a name", ".signature.header[1]", "signature: {header: [a, 'b c']}"),
    ("a parameter has a name", ".signature.query", "signature: {query: ''}"),
    ("a field has a name", ".signature.form", "signature: {form: ''}"),
    ("a path has names", ".signature.json", "signature: {json: a..b}"),
    ("a path is not empty", ".signature.json", "signature: {json: ''}"),
    ("items are separated by something", ".signature.separator", "signature: {header: a, separator: ''}"),
    ("what assigns has a field", ".signature", "signature: {header: a, assign: '='}"),
    ("items have a name", ".signature.field", "signature: {header: a, field: ''}"),
    ("a prefix is not empty", ".signature.prefix", "signature: {header: a, prefix: ''}"),
    ("an encoding is known", ".signature.encoding", "signature: {header: a, encoding: base32}"),
    ("a format is known", ".signature.format", "signature: {header: a, format: p1363}"),
    ("a header is repeated or not", ".signature.repeated", "signature: {header: a, repeated: 2}"),
    ("a timestamp is somewhere", ".timestamp", "timestamp: {format: unix}"),
    ("a timestamp has a known form", ".timestamp.format", "timestamp: {header: a, format: iso8601}"),
    ("an id is somewhere", ".id", "id: {}"),
    ("an id has no encoding", ".id.encoding", "id: {header: a, encoding: hex}"),
    ("something is signed", ".content", "content: ''"),
    ("one of several contents is some", ".content", "content: []"),
    (
        "there are four contents at the most",
        ".content",
        "content: ['{body}1', '{body}2', '{body}3', '{body}4', '{body}5']",
    ),
    ("parts of a content are known", ".content", "content: '{bdy}'"),
    ("parts of a content are closed", ".content", "content: '{body'"),
    ("what closes a part is twice elsewhere", ".content", "content: '{body}}'"),
    ("a part has a path", ".content", "content: '{json:a..b}'"),
    ("a part has a name", ".content", "content: '{header:}'"),
    ("a digest is somewhere", ".body_hash", "body_hash: {}"),
    ("elements have signatures of their own", ".each", "each: items"),
];

/// The same for the schemes in which less is possible.
const WRONG_KINDS: [(&str, &str, &str); 4] = [
    (
        "a token has its own content",
        "endpoints[0].scheme.content",
        "{scheme: {algorithm: jwt-es256, signature: {header: a}, content: '{body}'}, secrets: ~, key_set: {keys: [{kty: EC, crv: P-256, kid: a, x: MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4, y: 4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM}]}}",
    ),
    (
        "a token has its own timestamp",
        "endpoints[0].scheme.timestamp",
        "{scheme: {algorithm: jwt-es256, signature: {header: a}, timestamp: {header: b}}, secrets: ~, key_set: {keys: [{kty: EC, crv: P-256, kid: a, x: MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4, y: 4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM}]}}",
    ),
    (
        "a secret that is sent signs nothing",
        "endpoints[0].scheme.content",
        "scheme: {algorithm: shared-secret, signature: {header: a}, content: '{body}'}",
    ),
    (
        "without a timestamp there is no tolerance",
        "endpoints[0].tolerance",
        "{scheme: {algorithm: hmac-sha256, signature: {header: a}}, tolerance: 5m}",
    ),
];

/// The same within a handshake.
const WRONG_HANDSHAKES: [(&str, &str, &str); 20] = [
    ("a handshake is answered", ".respond", "respond: ~"),
    ("a field is misspelt", ".answer", "answer: {}"),
    ("a name has no capitals", ".name", "name: Ping"),
    ("a method is known", ".method", "method: HEAD"),
    ("conditions are a list", ".when", "when: {json: type, equals: ping}"),
    ("a condition is tested", ".when[0]", "when: [{json: type}]"),
    ("a condition has one test", ".when[0]", "when: [{json: type, equals: a, present: true}]"),
    ("a condition is about something", ".when[0]", "when: [{equals: a}]"),
    ("nobody is known by what is absent", ".when[0]", "when: [{json: type, present: false}]"),
    ("a condition equals a text", ".when[0].equals", "when: [{json: type, equals: 1}]"),
    ("a handshake is signed or not", ".signed", "signed: maybe"),
    ("a token is somewhere", ".token", "token: a"),
    ("a challenge is somewhere", ".challenge", "challenge: {min: 5}"),
    ("a challenge is made of something", ".challenge.characters", "challenge: {json: a, characters: any}"),
    ("a challenge has a length", ".challenge.min", "challenge: {json: a, min: 0}"),
    ("a challenge ends", ".challenge.max", "challenge: {json: a, max: 2000}"),
    ("an answer is good", ".respond.status", "respond: {status: 404}"),
    ("a type is printable", ".respond.content_type", "respond: {content_type: ''}"),
    ("a header of an answer has a name", ".respond.headers[\"a b\"]", "respond: {headers: {a b: c}}"),
    ("a header of an answer is a text", ".respond.headers.a", "respond: {headers: {a: 5}}"),
];

/// The same within an entry of those that sign.
const WRONG_SIGNERS: [(&str, &str, &str); 19] = [
    ("an entry has a name", ".name", "name: ~"),
    ("a name is not that of no endpoint", ".name", "name: none"),
    ("an entry says how it signs", "", "provider: ~"),
    ("an entry has secrets", ".secrets", "secrets: ~"),
    ("what is sent isn't judged", ".tolerance", "tolerance: 5m"),
    ("what is sent comes once", ".replay", "replay: off"),
    ("a request has every method", ".methods", "methods: [POST]"),
    ("nobody is refused", ".status", "status: 401"),
    ("public keys sign nothing", ".public_keys", "public_keys: [a]"),
    ("who signs the address knows it", "", "provider: square"),
    ("a part of the body isn't signed", "", "provider: mailgun"),
    ("a token isn't made", ".secrets", "provider: plaid"),
    (
        "a header has room for one signature",
        "",
        "{provider: github, secrets: [{env: OUT_SECRET}, {env: OUT_SECRET_OLD}]}",
    ),
    (
        "a signature without a separator is alone",
        ".scheme",
        "{provider: ~, scheme: {algorithm: hmac-sha1, signature: {header: a}}, secrets: [{env: OUT_SECRET}, {env: OUT_SECRET_OLD}]}",
    ),
    (
        "a signature goes into a header",
        ".scheme",
        "{provider: ~, scheme: {algorithm: hmac-sha1, signature: {query: a}}}",
    ),
    (
        "a timestamp goes into a header",
        ".scheme",
        "{provider: ~, scheme: {algorithm: hmac-sha1, signature: {header: a}, timestamp: {query: a}}}",
    ),
    (
        "an id goes into a header",
        ".scheme",
        "{provider: ~, scheme: {algorithm: hmac-sha1, signature: {header: a}, id: {query: a}}}",
    ),
    (
        "one content is signed",
        ".scheme",
        "{provider: ~, scheme: {algorithm: hmac-sha1, signature: {header: a}, content: ['{body}', '{body}!']}}",
    ),
    (
        "all of the body is signed",
        ".scheme",
        "{provider: ~, scheme: {algorithm: hmac-sha1, signature: {header: a}, content: '{json:a}'}}",
    ),
];

/// The same for what stands beside endpoints.
const WRONG: [(&str, &str, &str); 25] = [
    ("something comes in or goes out", "", "endpoints: ~"),
    ("endpoints are not empty", "endpoints", "endpoints: []"),
    ("what is signed is not empty", "sign", "sign: []"),
    ("a mode is enforce or shadow", "mode", "mode: dry-run"),
    ("tags are those of refusals or all", "tags", "tags: none"),
    ("a field is misspelt", "endpoint", "endpoint: a"),
    ("a prefix is a path", "prefix", "prefix: webhooks"),
    ("a prefix has no wildcards", "prefix", "prefix: /webhooks/*"),
    ("a prefix is read in one way", "prefix", "prefix: /a//b"),
    ("headers or the body are held", "hold", "hold: all"),
    ("a timeout has a unit", "body_timeout", "body_timeout: 30"),
    ("a timeout is not zero", "body_timeout", "body_timeout: 0s"),
    ("headers are named", "headers", "headers: x-webhook-id"),
    ("headers are known", "headers.event", "headers: {event: x-event}"),
    ("a header is one", "headers.id", "headers: {id: [x-id]}"),
    ("a header is no pseudo-header", "headers.id", "headers: {id: ':path'}"),
    ("a header has no meaning of its own", "headers.id", "headers: {id: Authorization}"),
    ("a header is not the host", "headers.id", "headers: {id: Host}"),
    ("headers that aren't held tell nothing", "headers", "{hold: body, headers: {id: x-id}}"),
    (
        "headers that aren't held get no signature",
        "sign",
        "{hold: body, sign: [{name: a, provider: github, secrets: [{env: A}]}]}",
    ),
    (
        "headers that aren't held aren't removed",
        "",
        "{hold: body, endpoints: [{name: a, provider: github, secrets: [{env: A}], remove_signature: true}]}",
    ),
    (
        "handshakes are a list",
        "endpoints[0].handshake",
        "endpoints: [{name: a, provider: github, secrets: [{env: A}], handshake: on}]",
    ),
    (
        "handshakes are some",
        "endpoints[0].handshake",
        "endpoints: [{name: a, provider: github, secrets: [{env: A}], handshake: []}]",
    ),
    (
        "a token is no text",
        "endpoints[0].handshake_token",
        "endpoints: [{name: a, provider: meta, secrets: [{env: A}], handshake_token: hunter2}]",
    ),
    (
        "a token is for handshakes that are there",
        "endpoints[0].handshake_token",
        "endpoints: [{name: a, provider: meta, secrets: [{env: A}], handshake: off, handshake_token: {env: B}}]",
    ),
];

/// What takes more than a schema to find out: what is wrong, where, and an `endpoint`, a `scheme`, a `handshake`, a
/// `signer`, or fields beside endpoints.
const WRONG_FOR_THE_PARSER: [(&str, &str, &str); 38] = [
    (
        "names of endpoints differ",
        "endpoints[1]",
        "endpoints: [{name: a, match: {methods: [POST]}, provider: github, secrets: [{env: A}]}, {name: a, provider: github, secrets: [{env: A}]}]",
    ),
    (
        "endpoints are reached",
        "endpoints[1]",
        "endpoints: [{name: a, provider: github, secrets: [{env: A}]}, {name: b, provider: github, secrets: [{env: A}]}]",
    ),
    (
        "what is signed is reached",
        "sign[1]",
        "sign: [{name: a, provider: github, secrets: [{env: A}]}, {name: b, provider: github, secrets: [{env: A}]}]",
    ),
    ("a header has one meaning", "headers", "headers: {id: x-a, key: X-A}"),
    ("a timeout has a limit", "body_timeout", "body_timeout: 1h"),
    ("a timeout is long enough", "body_timeout", "body_timeout: 1ms"),
    (
        "a secret is in the environment",
        "endpoints[0].secrets[0].env",
        "endpoint: {secrets: [{env: NOWHERE}]}",
    ),
    ("a secret is strong", "endpoints[0].secrets[0].env", "endpoint: {secrets: [{env: SHORT}]}"),
    ("a secret has no hidden spaces", "endpoints[0].secrets[0].env", "endpoint: {secrets: [{env: SPACED}]}"),
    (
        "a secret is listed once, wherever it is",
        "endpoints[0].secrets[1]",
        "endpoint: {secrets: [{inline: 0123456789abcdef}, {inline: 0123456789abcdef, allow_weak: true}]}",
    ),
    (
        "a secret is written as the scheme says",
        "endpoints[0].secrets[0].inline",
        "endpoint: {provider: adyen, secrets: [{inline: 'no digits of base 16'}]}",
    ),
    (
        "a public key is one",
        "endpoints[0].public_keys[0]",
        "endpoint: {provider: discord, secrets: ~, public_keys: [0123456789abcdef]}",
    ),
    (
        "a key is a point",
        "endpoints[0].key_set.keys[0]",
        "endpoint: {provider: plaid, secrets: ~, key_set: {keys: [{kty: EC, crv: P-256, kid: a, x: MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4, y: MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4}]}}",
    ),
    (
        "ids of keys differ",
        "endpoints[0].key_set.keys[1]",
        "endpoint: {provider: plaid, secrets: ~, key_set: {keys: [{kty: EC, crv: P-256, kid: a, x: MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4, y: 4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM}, {kty: EC, crv: P-256, kid: a, x: MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4, y: 4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM}]}}",
    ),
    ("a tolerance has a limit", "endpoints[0].tolerance", "endpoint: {tolerance: 30d}"),
    (
        "a tolerance is a second at least",
        "endpoints[0].tolerance.past",
        "endpoint: {tolerance: {past: 1ms, future: 1s}}",
    ),
    ("a body has a limit", "endpoints[0].max_body", "endpoint: {max_body: 1GiB}"),
    ("a window has a limit", "endpoints[0].replay.window", "endpoint: {replay: {window: 30d}}"),
    ("a window is a second at least", "endpoints[0].replay.window", "endpoint: {replay: {window: 1ms}}"),
    (
        "a timestamp that is signed is somewhere",
        "endpoints[0].scheme",
        "scheme: {content: '{timestamp}.{body}'}",
    ),
    ("an id that is signed is somewhere", "endpoints[0].scheme", "scheme: {content: '{id}.{body}'}"),
    (
        "the name of a key that is signed is known",
        "endpoints[0].scheme.content",
        "scheme: {content: '{key_id}{body}'}",
    ),
    (
        "the name of a key is known",
        "endpoints[0].scheme.signature.field",
        "scheme: {signature: {header: a, field: '{key_id}'}}",
    ),
    (
        "a challenge that is given back is somewhere",
        "endpoints[0].handshake[0].respond",
        "handshake: {respond: {body: '{challenge}'}}",
    ),
    (
        "a challenge that is signed is somewhere",
        "endpoints[0].handshake[0].respond",
        "handshake: {respond: {headers: {a: '{signature}'}}}",
    ),
    (
        "the name of a key that is given back is known",
        "endpoints[0].handshake[0].respond",
        "handshake: {respond: {body: '{key_id}'}}",
    ),
    (
        "a challenge is as long as it is",
        "endpoints[0].handshake[0].challenge.max",
        "handshake: {challenge: {json: a, min: 20, max: 10}}",
    ),
    (
        "a challenge is signed with a secret",
        "endpoints[0].handshake[0].respond",
        "endpoint: {provider: discord, secrets: ~, public_keys: [d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a], handshake: [{challenge: {json: a}, respond: {body: '{signature}'}}]}",
    ),
    ("a signed body has a limit", "sign[0].max_body", "signer: {max_body: 65MiB}"),
    ("a private key is one", "sign[0].secrets", "signer: {provider: standard-webhooks-v1a}"),
    ("a signer has its secret", "sign[0].secrets[0].env", "signer: {secrets: [{env: NOWHERE}]}"),
    (
        "a signer has a timestamp to sign",
        "sign[0].scheme",
        "signer: {provider: ~, scheme: {algorithm: hmac-sha256, signature: {header: a}, content: '{timestamp}'}}",
    ),
    (
        "a signer has an id to sign",
        "sign[0].scheme",
        "signer: {provider: ~, scheme: {algorithm: hmac-sha256, signature: {header: a}, content: '{id}'}}",
    ),
    (
        "a signer has the name of a key to sign",
        "sign[0].scheme.content",
        "signer: {provider: ~, scheme: {algorithm: hmac-sha256, signature: {header: a}, content: '{key_id}'}}",
    ),
    (
        "a signer has the name of its key",
        "sign[0].scheme.signature.field",
        "signer: {provider: ~, scheme: {algorithm: hmac-sha256, signature: {header: a, field: '{key_id}'}}}",
    ),
    (
        "a digest is that of a secret",
        "endpoints[0].secrets[0].env",
        "endpoint: {provider: braintree, key_id: a, secrets: [{env: SHORT}]}",
    ),
    (
        "a token is in the environment",
        "endpoints[0].handshake_token.env",
        "endpoint: {provider: meta, handshake_token: {env: NOWHERE}}",
    ),
    (
        "a token is strong",
        "endpoints[0].handshake_token.env",
        "endpoint: {provider: meta, handshake_token: {env: SHORT}}",
    ),
];

/// What replaces fields of an endpoint that is right, and leaves it right.
const RIGHT_ENDPOINTS: [&str; 25] = [
    "{}",
    "{name: 0_a-b, methods: [GET, M-SEARCH], match: {path: {prefix: /a}}}",
    "{secrets: [{env: A}, {env: B}, {env: C}, {env: D}, {env: E}, {env: F}, {env: G}, {env: H}]}",
    "secrets: [{inline: short, allow_weak: true}]",
    "secrets: [{env: SHORT, allow_weak: true}, {inline: '0123456789abcdef', allow_weak: false}]",
    "{tolerance: 7d, max_body: 0}",
    "{tolerance: {past: 1s, future: 1d}, max_body: 64MiB}",
    "{replay: off, handshake: off}",
    "{replay: false, handshake: false}",
    "replay: {}",
    "replay: {id: digest, window: 1s, entries: 1, on_duplicate: refuse}",
    "replay: {id: {header: [a, b], separator: ' ', field: v1}, window: 7d, entries: 10000000}",
    "{status: 599, malformed_status: 400, remove_signature: false}",
    "{provider: square, url: 'HTTPS://hooks.example.com', url: 'http://[::1]:8080?a=b'}",
    "{provider: braintree, key_id: 'a/b+c='}",
    "{provider: discord, secrets: ~, public_keys: [D75A980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a]}",
    "{provider: telegram, replay: {id: {json: update_id}}}",
    "{provider: meta, handshake_token: {env: VERIFY_TOKEN}}",
    "{handshake: [{token: {query: token}, respond: {}}], handshake_token: {env: VERIFY_TOKEN}}",
    "handshake: [{token: {query: token}, respond: {}}]",
    "{provider: plaid, secrets: ~, tolerance: 1h, replay: {window: 1h}, key_set: {keys: [{kty: EC, crv: P-256, kid: a, x: MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4, y: 4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM, alg: ES256}]}}",
    "{provider: ~, scheme: {algorithm: jwt-es256, signature: {header: a}}, secrets: ~, tolerance: 1h, key_set: {keys: [{kty: EC, crv: P-256, kid: a, x: MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4, y: 4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM}]}}",
    "{provider: ~, scheme: {algorithm: ecdsa-p256, key: hex, signature: {header: a, format: raw}}, secrets: ~, public_keys: ['3059301306072a8648ce3d020106082a8648ce3d03010703420004f374f83bf9fce22a2d22f216e26741810ffb7407d29a9a8833c905f663757e5a55292dc646a7bada0c3ed9f34d45a20d5ef5698a095223c78d11ceb0100dc5fa']}",
    "{provider: ~, scheme: {algorithm: shared-secret, signature: {query: code}, timestamp: {header: a}}, tolerance: 5m}",
    "{provider: ~, scheme: {algorithm: hmac-sha256, signature: {header: a, field: '{key_id}'}, content: '{key_id}{body}'}, key_id: a}",
];

/// The same for a scheme.
const RIGHT_SCHEMES: [&str; 17] = [
    "{}",
    "algorithm: hmac-sha1",
    "{algorithm: hmac-sha384, key: hex}",
    "{algorithm: hmac-sha512, key: base64}",
    "{algorithm: sha256-secret, key: sha1}",
    "{algorithm: shared-secret, key: whsec}",
    "signature: {header: [X-A, x-b], separator: '; ', assign: ':', field: sig, prefix: v1, encoding: base64url, repeated: true}",
    "signature: {query: sig, field: a}",
    "signature: {form: sig, separator: '&'}",
    "{signature: {json: sig.0.value}, each: data.items}",
    "timestamp: {header: date, format: http-date}",
    "{timestamp: {json: sent_at, format: rfc3339}, id: {json: id}, content: '{id}.{timestamp}.{body}'}",
    "content: 'v0 {{literal}} {method}{url}{url_decoded}{path}{query}{host}{header:x y}{query:a}{form:b}{form_params}{body}'",
    "content: '{{timestamp}}{json:a.0.b}{header:a:b}'",
    "content: ['{body}', \"{body}\\n\", '{body}!', '!{body}']",
    "{any_port: true, content: '{url}'}",
    "body_hash: {header: digest, prefix: 'sha-256=', encoding: base64}",
];

/// The same for a handshake.
const RIGHT_HANDSHAKES: [&str; 7] = [
    "{}",
    "{name: ping, method: POST, when: [], signed: true}",
    "{method: OPTIONS, when: [{header: origin, present: true}], signed: false}",
    "when: [{json: type, equals: ''}, {form: a, prefix: b, equals: c}]",
    "{challenge: {json: a, characters: hex, min: 10, max: 10}, respond: {body: '{challenge}{signature}{else}'}}",
    "respond: {status: 299, content_type: 'text/plain; charset=utf-8', body: '', headers: {X-A: 'a b', b: c}}",
    "respond: {headers: {}}",
];

/// The same for an entry of those that sign.
const RIGHT_SIGNERS: [&str; 9] = [
    "{}",
    "{match: {hosts: ['*.example.com']}, max_body: 25MiB}",
    "{secrets: [{env: OUT_SECRET}, {env: OUT_SECRET_OLD}]}",
    "{provider: github}",
    "{provider: square, url: 'https://partner.example.com/hooks'}",
    "{provider: standard-webhooks-v1a, secrets: [{env: ED25519_KEY}]}",
    "{provider: ~, scheme: {algorithm: sha256-secret, signature: {header: [a, b]}, content: ['{key_id}{{json:a}}{body}']}, key_id: a}",
    "{provider: ~, scheme: {algorithm: ed25519, key: base64, signature: {header: a, encoding: base64}, timestamp: {header: b}, id: {header: c}}, secrets: [{env: ED25519_KEY}]}",
    "{provider: ~, scheme: {algorithm: hmac-sha256, signature: {header: a, separator: ','}}, secrets: [{env: OUT_SECRET}, {env: OUT_SECRET_OLD}]}",
];

/// The same for what stands beside endpoints.
const RIGHT: [&str; 7] = [
    "{}",
    "{mode: shadow, hold: body, body_timeout: 100ms, tags: refusals}",
    "{prefix: /, body_timeout: 10m}",
    "{prefix: /hooks/v1/, headers: {}}",
    "headers: {id: X-Webhook-Id, duplicate: x-webhook-duplicate}",
    "sign: [{name: a, match: {methods: [POST]}, provider: github, secrets: [{env: A}]}, {name: b, provider: github, secrets: [{env: A}]}]",
    "{endpoints: ~, sign: [{name: a, provider: github, secrets: [{env: A}]}]}",
];

fn wrong() -> Vec<Mistake> {
    let endpoints =
        WRONG_ENDPOINTS.iter().map(|line| Mistake::of(line, with_endpoint).inside("endpoints[0]"));
    let schemes =
        WRONG_SCHEMES.iter().map(|line| Mistake::of(line, with_scheme).inside("endpoints[0].scheme"));
    let kinds = WRONG_KINDS
        .iter()
        .map(|line| Mistake::of(line, |fields| json!({"endpoints": [replaced(described(), fields)]})));
    let handshakes = WRONG_HANDSHAKES
        .iter()
        .map(|line| Mistake::of(line, with_handshake).inside("endpoints[0].handshake[0]"));
    let signers = WRONG_SIGNERS.iter().map(|line| Mistake::of(line, with_signer).inside("sign[0]"));
    let others = WRONG.iter().map(|line| Mistake::of(line, with));
    endpoints.chain(schemes).chain(kinds).chain(handshakes).chain(signers).chain(others).collect()
}

fn wrong_for_the_parser() -> Vec<Mistake> {
    let configuration = |text: &str| {
        let fields = yaml(text);
        let part = |name: &str| fields.get(name).map(Value::to_string);
        match (part("endpoint"), part("scheme"), part("handshake"), part("signer")) {
            (Some(endpoint), ..) => with_endpoint(&endpoint),
            (_, Some(scheme), ..) => with_scheme(&scheme),
            (.., Some(handshake), _) => with_handshake(&handshake),
            (.., Some(signer)) => with_signer(&signer),
            _ => with(text),
        }
    };
    WRONG_FOR_THE_PARSER.iter().map(|line| Mistake::of(line, configuration)).collect()
}

fn right() -> Vec<Value> {
    let endpoints = RIGHT_ENDPOINTS.iter().map(|fields| with_endpoint(fields));
    let schemes = RIGHT_SCHEMES.iter().map(|fields| with_scheme(fields));
    let handshakes = RIGHT_HANDSHAKES.iter().map(|fields| with_handshake(fields));
    let signers = RIGHT_SIGNERS.iter().map(|fields| with_signer(fields));
    let others = RIGHT.iter().map(|fields| with(fields));
    endpoints.chain(schemes).chain(handshakes).chain(signers).chain(others).collect()
}

/// A configuration that is right, with other fields.
fn with(fields: &str) -> Value {
    replaced(json!({"endpoints": [endpoint()]}), fields)
}

fn with_endpoint(fields: &str) -> Value {
    json!({"endpoints": [replaced(endpoint(), fields)]})
}

fn with_scheme(fields: &str) -> Value {
    let mut endpoint = described();
    endpoint["scheme"] = replaced(endpoint["scheme"].clone(), fields);
    json!({"endpoints": [endpoint]})
}

fn with_handshake(fields: &str) -> Value {
    let mut endpoint = endpoint();
    endpoint["handshake"] = json!([replaced(json!({"respond": {}}), fields)]);
    json!({"endpoints": [endpoint]})
}

fn with_signer(fields: &str) -> Value {
    let signer = json!({"name": "out", "provider": "standard-webhooks", "secrets": [{"env": "OUT_SECRET"}]});
    json!({"sign": [replaced(signer, fields)]})
}

fn endpoint() -> Value {
    json!({"name": "a", "provider": "stripe", "secrets": [{"env": "STRIPE_SECRET"}]})
}

/// An endpoint without a preset.
fn described() -> Value {
    json!({
        "name": "a",
        "scheme": {"algorithm": "hmac-sha256", "signature": {"header": "x-signature"}},
        "secrets": [{"env": "OWN_SECRET"}],
    })
}

/// The presets by their names.
fn presets() -> Vec<(String, Value)> {
    let path = workspace().join("filters/webhook-hmac/presets.json");
    let text = fs::read_to_string(path).expect("presets");
    let presets: Value = serde_json::from_str(&text).expect("JSON");
    presets.as_object().expect("an object").clone().into_iter().collect()
}

fn providers() -> String {
    fs::read_to_string(workspace().join("filters/webhook-hmac/PROVIDERS.md")).expect("PROVIDERS.md")
}

#[test]
fn presets_are_written_in_the_words_of_the_schema() {
    let schema = WEBHOOK_HMAC.schema();
    let fields = schema.at("/$defs/endpoint/properties");
    for (name, preset) in presets() {
        for (field, value) in preset.as_object().expect("an object") {
            if ["title", "note"].contains(&field.as_str()) {
                assert!(value.as_str().is_some_and(|text| !text.is_empty()), "{name}: {field} is {value}");
                continue;
            }
            if field == "needs" {
                let names = value.as_array().into_iter().flatten().filter_map(Value::as_str);
                assert!(names.into_iter().all(|name| fields[name].is_object()), "{name} needs {value}");
                continue;
            }
            let mut part = fields[field].clone();
            assert!(part.is_object(), "{name}: the schema has no {field}");
            part["$defs"] = schema.at("/$defs").clone();
            let part = jsonschema::validator_for(&part).expect("a schema");
            assert_eq!(super::complaints(&part, value), [""; 0], "{name}: {field}");
        }
    }
}

/// What the schema says of presets by their names: which keys they take, which have a timestamp, and so on.
#[test]
fn parser_and_schema_agree_on_what_each_preset_takes() {
    let schema = WEBHOOK_HMAC.validator();
    let key_sets = json!({"keys": [{
        "kty": "EC",
        "crv": "P-256",
        "kid": "1",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    }]});
    let base = json!({"name": "a", "key_id": "b", "url": "https://hooks.example.com"});
    for (name, preset) in presets() {
        let public_key = match preset["scheme"]["algorithm"].as_str() {
            Some("ecdsa-p256") => {
                "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
            }
            _ if preset["scheme"]["key"] == "whsec" => "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
            _ => "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        };
        let keys = [
            ("secrets", json!([{"env": "A"}])),
            ("public_keys", json!([public_key])),
            ("key_set", key_sets.clone()),
        ];
        let check = |configuration: Value| {
            let problems = WEBHOOK_HMAC.problems(&configuration);
            let complaints = super::complaints(&schema, &configuration);
            assert_eq!(
                problems.is_empty(),
                complaints.is_empty(),
                "{configuration}\nparser: {problems}\nschema: {complaints:?}"
            );
            problems.is_empty()
        };
        let mut accepted = 0;
        for (field, key) in keys {
            let mut plain = base.clone();
            plain["provider"] = json!(name);
            plain[field] = key;
            if !check(json!({"endpoints": [plain]})) {
                continue;
            }
            accepted += 1;
            for fields in [
                "tolerance: 1h",
                "handshake_token: {env: VERIFY_TOKEN}",
                "{handshake: off, handshake_token: {env: VERIFY_TOKEN}}",
                "replay: {window: 1h}",
                "replay: {id: digest}",
                "replay: {id: {json: id}}",
                "replay: off",
                "url: ~",
                "key_id: ~",
            ] {
                check(json!({"endpoints": [replaced(plain.clone(), fields)]}));
            }
        }
        assert_eq!(accepted, 1, "{name} takes one kind of keys");
        // Sixty-four digits in base64 are no private key.
        let is_base64 = preset["scheme"]["algorithm"] == "ed25519" && preset["scheme"]["key"] == "whsec";
        let (new, old) = if is_base64 { ("ED25519_KEY", "ED25519_KEY_OLD") } else { ("A", "B") };
        for secrets in [json!([{"env": new}]), json!([{"env": new}, {"env": old}])] {
            let mut signer = base.clone();
            signer["provider"] = json!(name);
            signer["secrets"] = secrets;
            check(json!({"sign": [signer.clone()]}));
            check(json!({"sign": [replaced(signer, "url: ~")]}));
        }
    }
}

#[test]
fn each_preset_has_its_section_with_a_configuration_to_copy() {
    let text = providers();
    let mut shown = Vec::new();
    for block in blocks(&text, "") {
        let endpoints = yaml(&block)["endpoints"].clone();
        let endpoints = endpoints.as_array().unwrap_or_else(|| panic!("no configuration: {block}"));
        shown
            .extend(endpoints.iter().filter_map(|endpoint| endpoint["provider"].as_str().map(str::to_owned)));
    }
    let named: Vec<String> = presets().into_iter().map(|(name, _)| name).collect();
    shown.sort();
    assert_eq!(shown, named);
}

#[test]
fn the_table_of_providers_says_what_the_presets_do() {
    let text = providers();
    let rows: BTreeSet<&str> =
        text.lines().filter(|line| line.starts_with("| [") && line.ends_with(" |")).collect();
    let written: BTreeSet<String> = rows.into_iter().map(|row| row.replace('†', "")).collect();
    let expected: BTreeSet<String> = presets().iter().map(|(name, preset)| row(name, preset)).collect();
    assert_eq!(written, expected);
}

/// Returns the row of a preset in the table of providers.
fn row(name: &str, preset: &Value) -> String {
    let title = preset["title"].as_str().expect("a title");
    let kept = |character: &char| character.is_alphanumeric() || [' ', '-'].contains(character);
    let anchor: String = title.to_lowercase().chars().filter(kept).collect();
    let anchor = anchor.replace(' ', "-");
    let algorithm = preset["scheme"]["algorithm"].as_str().expect("an algorithm");
    let handshakes = preset["handshake"].as_array().into_iter().flatten();
    let handshakes: Vec<String> = handshakes.map(|handshake| code(&handshake["name"])).collect();
    let handshakes = if handshakes.is_empty() { "none".to_owned() } else { handshakes.join(", ") };
    let (timestamp, replay, duplicate) = (timestamp(preset), replay(preset), duplicate(preset));
    format!(
        "| [{title}](#{anchor}) | `{name}` | {algorithm} | {timestamp} | {replay} | {duplicate} | {handshakes} |"
    )
}

fn timestamp(preset: &Value) -> String {
    let timestamp = &preset["scheme"]["timestamp"];
    let place = match timestamp {
        _ if preset["scheme"]["algorithm"] == "jwt-es256" => "token",
        Value::Null => return "none".to_owned(),
        timestamp if timestamp["header"].is_null() => "body",
        _ => "header",
    };
    let format = match timestamp["format"].as_str() {
        Some("unix-ms") => " (ms)",
        Some("rfc3339") => " (RFC 3339)",
        Some("http-date") => " (HTTP date)",
        _ => "",
    };
    let tolerance = preset["tolerance"].as_str().unwrap_or("5m");
    format!("{place}{format}, `{tolerance}`")
}

fn replay(preset: &Value) -> String {
    let replay = &preset["replay"];
    let id = match &replay["id"] {
        Value::Null => return "off".to_owned(),
        Value::String(digest) => digest.clone(),
        source => code(source.as_object().and_then(|source| source.values().next()).expect("a place")),
    };
    match replay["window"].as_str() {
        Some("24h") => format!("{id}, a day"),
        Some(other) => format!("{id}, {other}"),
        None => id,
    }
}

fn duplicate(preset: &Value) -> &'static str {
    match (preset["replay"].is_object(), preset["replay"]["on_duplicate"].as_str()) {
        (false, _) => "",
        (true, None | Some("refuse")) => "refused",
        (true, Some("acknowledge")) => "acknowledged",
        (true, Some(other)) => panic!("{other}"),
    }
}

/// Returns a name as code; of several the first, which is the usual one.
fn code(name: &Value) -> String {
    let first = name.as_array().and_then(|names| names.first()).unwrap_or(name);
    format!("`{}`", first.as_str().expect("a name"))
}
