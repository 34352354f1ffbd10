"""Builds webhook deliveries with each provider's own construction: the filter is held against facts, not itself.

Nothing here knows the filter. Every signature is made as its provider documents it, with `hashlib`, `hmac`, `base64`,
`json`, `urllib` and, for public keys, the `cryptography` package (43 or later). Keys, times and bodies are fixed, and
ECDSA signs deterministically (RFC 6979), so a second run writes the same bytes.

    python3 construct.py                               writes `constructed.json`
    python3 construct.py webhook-vectors.json          writes `published.json` too, converted from that collection
    python3 construct.py --check                       recomputes both files, and fails with a sentence on a difference
    python3 construct.py --check webhook-vectors.json  also converts the collection anew, and compares

What `published.json` holds was published by the providers, or in public test suites. Before it is written, and in
`--check`, the very functions that sign the constructed deliveries have to give the published signatures: that is what
the constructed ones stand on.
"""

import base64
import email.utils
import hashlib
import hmac
import json
import pathlib
import sys
import urllib.parse

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

HERE = pathlib.Path(__file__).parent

# When every constructed delivery was sent: Tuesday, 14 November 2023, 22:13:20 UTC.
NOW = 1_700_000_000

TARGET = "https://hooks.example.com/hook"
JSON = ("content-type", "application/json")
FORM = ("content-type", "application/x-www-form-urlencoded")

FORMAT = """\
A vector is an endpoint (`provider` or `scheme`, `secrets` as the operator pastes them, and `fields`, further fields \
of the endpoint as in the configuration), a request (`method`, `scheme_authority_path`, `headers`, and `body` or \
`body_base64`), the time `now` in Unix seconds at which it is verified, and what is to come of it. `expect` is \
{"pass": true}, {"refuse": true}, or {"handshake": {...}}, an answer in place: what is not named in it is not \
prescribed, its headers are at least those, and a body of JSON is compared as JSON. {"refuse": true} is any answer \
that is neither: the request does not reach the upstream and no handshake answers. `covers` names what must lead to \
a refusal when the lowest bit of any one of its bytes is altered: `body`; `timestamp` and `id`, where the provider \
sends them; `url`, that is `fields.url` if it has a path, else the path of the request; `method`, when it is another \
one that the endpoint takes; `secret`, that is every secret at once (one that is no longer valid, or means the same \
bytes, is not an alteration). `covers_json` are JSON paths of values of the body of which the same is true. `id` is \
the event's id where the signature covers it. Secrets of published vectors may be short.\
"""


# --- Primitives ------------------------------------------------------------------------------------------------------


def octets(part):
    """Gives the bytes of a text or of a number, and bytes as they are."""
    return part if isinstance(part, bytes) else str(part).encode()


def mac(algorithm, key, *parts):
    """Gives the HMAC of the parts, one after the other."""
    return hmac.new(octets(key), b"".join(octets(part) for part in parts), algorithm).digest()


def hex_mac(algorithm, key, *parts):
    """Gives the HMAC of the parts in lower-case hex."""
    return mac(algorithm, key, *parts).hex()


def base64_mac(algorithm, key, *parts):
    """Gives the HMAC of the parts in padded base64."""
    return base64_of(mac(algorithm, key, *parts))


def base64_of(data):
    """Gives the standard, padded base64 of bytes."""
    return base64.b64encode(data).decode()


def base64url(data):
    """Gives base64 in the alphabet for URLs, without padding: how JOSE writes bytes."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def derived(label):
    """Gives 32 bytes that look random and are the same in every run."""
    return hashlib.sha256(b"webhook-hmac vectors: " + label.encode()).digest()


def text_secret(label):
    """Gives a secret of 64 characters, for providers that use a secret's characters as they are."""
    return derived(label).hex()


def whsec(secret):
    """Gives the key bytes of a Standard Webhooks secret: base64 after a prefix."""
    return base64.b64decode(secret.removeprefix("whsec_"))


# --- The constructions, one for each way of signing -------------------------------------------------------------------


def stripe_signature(secret, at, body):
    """Stripe, Tailscale, Mux, Calendly, WorkOS: time, dot and body; Stripe's `whsec_` is part of the key."""
    return hex_mac("sha256", secret, at, ".", body)


def slack_signature(secret, at, body):
    """Slack and Zoom: the version, the time and the body, with colons between."""
    return "v0=" + hex_mac("sha256", secret, "v0:", at, ":", body)


def paddle_signature(secret, at, body):
    """Paddle: the time, a colon and the body."""
    return hex_mac("sha256", secret, at, ":", body)


def standard_signature(secret, id, at, body):
    """Standard Webhooks, Svix and GitLab: id, time and body, with dots between, under the decoded secret."""
    return "v1," + base64_mac("sha256", whsec(secret), id, ".", at, ".", body)


def square_signature(secret, url, body):
    """Square: the URL of the notification as it was configured, and the body."""
    return base64_mac("sha256", secret, url, body)


def twilio_signature(token, url, form=b""):
    """Twilio: the URL, then name and value of each parameter, sorted, and each value of a name once."""
    pairs = set(urllib.parse.parse_qsl(form.decode(), keep_blank_values=True))
    return base64_mac("sha1", token, url, *[name + value for name, value in sorted(pairs)])


def hubspot_v1_signature(secret, body):
    """HubSpot's first version: SHA-256, and no HMAC, of the secret and the body."""
    return hashlib.sha256(octets(secret) + body).hexdigest()


def hubspot_v2_signature(secret, method, url, body):
    """HubSpot's second version: SHA-256, and no HMAC, of secret, method, URL and body."""
    return hashlib.sha256(octets(secret + method + url) + body).hexdigest()


def hubspot_v3_signature(secret, method, url, body, at):
    """HubSpot's third version: method, URL with these escapes decoded, body and time in milliseconds."""
    for character in ":/?@!$'()*,;":
        url = url.replace(f"%{ord(character):02X}", character)
    return base64_mac("sha256", secret, method, url, body, at)


def adyen_signature(key, item):
    """Adyen payments: eight fields of the item with colons between, nothing escaped; the key is hex."""
    amount = item.get("amount", {})
    fields = [
        item.get("pspReference"),
        item.get("originalReference"),
        item.get("merchantAccountCode"),
        item.get("merchantReference"),
        amount.get("value"),
        amount.get("currency"),
        item.get("eventCode"),
        item.get("success"),
    ]
    content = ":".join("" if field is None else str(field) for field in fields)
    return base64_mac("sha256", bytes.fromhex(key), content)


def adyen_platform_signature(key, body):
    """Adyen's platform: the body; the key is hex."""
    return base64_mac("sha256", bytes.fromhex(key), body)


def braintree_signature(private_key, content):
    """Braintree: HMAC-SHA1 whose key is the SHA-1 of the private key."""
    return hex_mac("sha1", hashlib.sha1(octets(private_key)).digest(), content)


def mailgun_signature(secret, at, token):
    """Mailgun: the time and the token; the event itself is not signed."""
    return hex_mac("sha256", secret, at, token)


def ed25519_key(label):
    """Gives a private key and the 32 bytes of its public key."""
    private = ed25519.Ed25519PrivateKey.from_private_bytes(derived(label))
    public = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return private, public


def ecdsa_key(label):
    """Gives a private key on P-256."""
    return ec.derive_private_key(int.from_bytes(derived(label), "big"), ec.SECP256R1())


def ecdsa_signature(private, *parts):
    """Signs with ECDSA on P-256, SHA-256 and the nonce of RFC 6979, in DER."""
    content = b"".join(octets(part) for part in parts)
    return private.sign(content, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def jwt(header, claims, sign):
    """Gives a JWT in the compact form; `sign` makes the signature's bytes from what is signed."""
    content = ".".join(base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return content + "." + base64url(sign(content.encode()))


def es256(private):
    """Gives a function that signs as JWS does: ECDSA on P-256, both numbers one after the other, 32 bytes each."""

    def sign(content):
        r, s = decode_dss_signature(ecdsa_signature(private, content))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return sign


def jwk(private, kid):
    """Gives the public half of a P-256 key as a JWK."""
    numbers = private.public_key().public_numbers()
    x, y = (base64url(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y}


# --- Vectors ----------------------------------------------------------------------------------------------------------

PASS = {"pass": True}
REFUSE = {"refuse": True}


def vector(
    name,
    *,
    source,
    provider=None,
    scheme=None,
    fields=None,
    secrets=(),
    method="POST",
    target=TARGET,
    headers=(),
    body=b"",
    now=NOW,
    expect=PASS,
    covers=(),
    covers_json=(),
    id=None,
    why=None,
):
    """Gives one vector in the form that the files have."""
    protocol, _, rest = target.partition("://")
    authority, slash, path = rest.partition("/")
    made = {"name": name}
    made |= {"provider": provider} if scheme is None else {"scheme": scheme}
    made |= {"fields": fields or {}, "secrets": list(secrets), "method": method}
    made["scheme_authority_path"] = {"scheme": protocol, "authority": authority, "path": slash + path}
    made["headers"] = [list(header) for header in headers]
    try:
        made["body"] = octets(body).decode()
    except UnicodeDecodeError:
        made["body_base64"] = base64_of(body)
    made |= {"now": now, "expect": expect, "covers": list(covers)}
    if covers_json:
        made["covers_json"] = list(covers_json)
    made["source"] = source
    if id is not None:
        made["id"] = id
    if why is not None:
        made["why"] = why
    return made


def body_of(vector):
    """Gives the bytes of a vector's body."""
    return base64.b64decode(vector["body_base64"]) if "body_base64" in vector else vector["body"].encode()


def answered(status, body="", content_type=None, headers=None):
    """Gives the expectation of a handshake's answer."""
    answer = {"status": status}
    answer |= {"content_type": content_type} if content_type else {}
    answer |= {"headers": headers} if headers else {}
    return {"handshake": answer | {"body": body}}


def compact(value):
    """Gives JSON without white space, with every character as itself."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


class Deliveries(list):
    """A list of vectors that grows by a name and what a provider would send."""

    def add(self, name, delivery, why=None, **changes):
        """Adds a delivery with some of its parts changed; one with a reason, `why`, is to be refused."""
        changes |= {} if why is None else {"why": why, "expect": REFUSE, "covers": (), "covers_json": (), "id": None}
        self.append(vector(name, **delivery | changes))


# --- What each provider sends: functions that give the parts of a delivery --------------------------------------------

EVENT = compact({"id": "evt_1NG8Du2eZvKYlo2C", "type": "customer.created", "data": {"name": "Grüße, 世界 😀"}})
ALL_BYTES = bytes(range(256))
LIST_SECRET = text_secret("a second secret")
STRIPE_SECRET = "whsec_" + text_secret("stripe")

# The providers that sign like Stripe: the header, units of time in a second, what separates elements, and the secret.
STRIPE_LIKE = {
    "stripe": ("stripe-signature", 1, ",", STRIPE_SECRET),
    "tailscale": ("tailscale-webhook-signature", 1, ",", "tskey-webhook-" + text_secret("tailscale")),
    "mux": ("mux-signature", 1, ",", text_secret("mux")),
    "calendly": ("calendly-webhook-signature", 1, ",", text_secret("calendly")),
    "workos": ("workos-signature", 1000, ", ", text_secret("workos")),
}

# The providers that sign the body and nothing else: the header, the hash, how the signature is written, and its prefix.
BODY_ONLY = {
    "github": ("x-hub-signature-256", "sha256", hex_mac, "sha256="),
    "github-sha1": ("x-hub-signature", "sha1", hex_mac, "sha1="),
    "shopify": ("x-shopify-hmac-sha256", "sha256", base64_mac, ""),
    "bitbucket": ("x-hub-signature", "sha256", hex_mac, "sha256="),
    "jira": ("x-hub-signature", "sha256", hex_mac, "sha256="),
    "intercom": ("x-hub-signature", "sha1", hex_mac, "sha1="),
    "dropbox": ("x-dropbox-signature", "sha256", hex_mac, ""),
    "meta": ("x-hub-signature-256", "sha256", hex_mac, "sha256="),
    "whatsapp": ("x-hub-signature-256", "sha256", hex_mac, "sha256="),
    "typeform": ("typeform-signature", "sha256", base64_mac, "sha256="),
    "asana": ("x-hook-signature", "sha256", hex_mac, ""),
    "docusign": ("x-docusign-signature-1", "sha256", base64_mac, ""),
    "razorpay": ("x-razorpay-signature", "sha256", hex_mac, ""),
    "paystack": ("x-paystack-signature", "sha512", hex_mac, ""),
    "coinbase-commerce": ("x-cc-webhook-signature", "sha256", hex_mac, ""),
    "pagerduty": ("x-pagerduty-signature", "sha256", hex_mac, "v1="),
    "sentry": ("sentry-hook-signature", "sha256", hex_mac, ""),
    "circleci": ("circleci-signature", "sha256", hex_mac, "v1="),
    "vercel": ("x-vercel-signature", "sha1", hex_mac, ""),
    "line": ("x-line-signature", "sha256", base64_mac, ""),
    "notion": ("x-notion-signature", "sha256", hex_mac, "sha256="),
    "gitea": ("x-gitea-signature", "sha256", hex_mac, ""),
}

# What the deliveries of those providers look like, and the id in them, if there is one.
BODIES = {
    "github": (compact({"zen": "Keep it logically awesome.", "hook_id": 109948940}), None),
    "shopify": (compact({"id": 788032119674292922, "title": "Example T-Shirt"}), None),
    "bitbucket": (compact({"push": {"changes": []}, "repository": {"full_name": "team/repo"}}), None),
    "jira": (compact({"timestamp": NOW * 1000, "webhookEvent": "jira:issue_updated"}), None),
    "intercom": (
        compact({"type": "notification_event", "topic": "user.created", "id": "notif_ccd8a4d0"}),
        "notif_ccd8a4d0",
    ),
    "dropbox": (compact({"list_folder": {"accounts": ["dbid:AAH4f99T0taONIb-OurWxbNQ6ywGRopQngc"]}}), None),
    "meta": (
        rb'{"object":"page","entry":[{"id":"43674671559","changes":[{"value":"\u00e4\u00f6\u00e5 \/ \u0025"}]}]}',
        None,
    ),
    "whatsapp": (
        rb'{"object":"whatsapp_business_account","entry":[{"id":"1021","changes":[{"value":"\u00e4"}]}]}',
        None,
    ),
    "typeform": (compact({"event_id": "LtWXD3crgy", "event_type": "form_response"}), "LtWXD3crgy"),
    "asana": (compact({"events": [{"action": "changed", "resource": {"gid": "1337"}}]}), None),
    "docusign": (b'{\r\n  "event": "envelope-completed",\r\n  "apiVersion": "v2.1"\r\n}\r\n', None),
    "razorpay": (compact({"entity": "event", "event": "payment.captured", "created_at": NOW}), None),
    "paystack": (compact({"event": "charge.success", "data": {"id": 302961, "reference": "qTPrJoy9Bx"}}), None),
    "coinbase-commerce": (
        compact({"id": 1, "event": {"id": "24934862-d980-46cb", "type": "charge:created"}}),
        "24934862-d980-46cb",
    ),
    "pagerduty": (
        compact({"event": {"id": "01BWDWL3NYY7LUFPZCC28QUCMK", "event_type": "incident.triggered"}}),
        "01BWDWL3NYY7LUFPZCC28QUCMK",
    ),
    "sentry": (compact({"action": "created", "installation": {"uuid": "a8e5d37a-696c-4c54-adb5-b3f28d64c7de"}}), None),
    "circleci": (
        compact({"id": "3888f21b-eaa7-38e3-8f3d-75a63bba8895", "type": "workflow-completed"}),
        "3888f21b-eaa7-38e3-8f3d-75a63bba8895",
    ),
    "vercel": (
        compact({"id": "uev_CzWVEqxbpRhWpZn6qBd1mVvX", "type": "deployment.created"}),
        "uev_CzWVEqxbpRhWpZn6qBd1mVvX",
    ),
    "line": (compact({"destination": "U8e742f61d673b39c7fff3cecb7536ef0", "events": []}), None),
    "notion": (
        compact({"id": "367cba44-b6f3-4c92-81e7-6a2e9659efd4", "type": "page.created"}),
        "367cba44-b6f3-4c92-81e7-6a2e9659efd4",
    ),
    "gitea": (compact({"ref": "refs/heads/main", "repository": {"full_name": "gitea/webhooks"}}), None),
}
BODIES["github-sha1"] = BODIES["github"]

DOCUMENTED = {
    "body": "HMAC over the raw body alone, under the secret's characters as they are",
    "stripe": "HMAC-SHA256 over time, dot and raw body; `t` and `v1` in one header; any of several `v1` counts",
    "slack": "HMAC-SHA256 over `v0:` time `:` raw body, in hex after `v0=`",
    "standard": "HMAC-SHA256 over id, time and body with dots between; the secret is base64 after `whsec_`",
    "v1a": "Ed25519 over id, time and body with dots between; the public key is base64 after `whpk_`",
    "paddle": "HMAC-SHA256 over time, colon and raw body; `ts` and `h1` in one header, separated by semicolons",
    "twilio": "HMAC-SHA1 over the URL and the sorted form parameters; JSON is bound by `bodySHA256` in the URL",
    "square": "HMAC-SHA256 over the configured URL and the raw body, in base64",
    "linear": "HMAC-SHA256 over the raw body in hex; `webhookTimestamp` in the body, in milliseconds",
    "discord": "Ed25519 over time and raw body; the public key and the signature in hex",
    "sendgrid": "ECDSA on P-256 over time and raw body, CRLF included; DER in base64; the public key is SPKI in base64",
    "mailgun": "HMAC-SHA256 over time and token, all three in the body's object `signature`; the event is not signed",
    "hubspot-v1": "SHA-256 over secret and body, in hex",
    "hubspot-v2": "SHA-256 over secret, method, URL and body, in hex",
    "hubspot": "HMAC-SHA256 over method, URL with some escapes decoded, body and time in milliseconds, in base64",
    "zendesk": "HMAC-SHA256 over time and raw body, in base64; the time is RFC 3339",
    "adyen": "HMAC-SHA256 over eight fields with colons between, per item; the key is hex",
    "adyen-platform": "HMAC-SHA256 over the raw body; the key is hex, the signature base64 in a header",
    "braintree": "HMAC-SHA1 over the form field `bt_payload`; the key is the SHA-1 of the private key",
    "twitch": "HMAC-SHA256 over id, time and raw body, in hex after `sha256=`; the time is RFC 3339 with nanoseconds",
    "klaviyo": "HMAC-SHA256 over raw body and time, in hex; the time is an IMF-fixdate",
    "plaid": "a JWT, ES256, whose claims are `iat` and `request_body_sha256`, the hex SHA-256 of the raw body",
    "shared": "the secret itself, sent along",
}


def stripe_like(provider="stripe", at=None, body=EVENT, secrets=None, values=None):
    """What Stripe and those like it send; `values` are the header's elements after `t`, else the right `v1`."""
    header, unit, comma, secret = STRIPE_LIKE[provider]
    at = NOW * unit if at is None else at
    values = values or ["v1=" + stripe_signature(secret, at, body)]
    return {
        "provider": provider,
        "source": DOCUMENTED["stripe"],
        "secrets": secrets or [secret],
        "body": body,
        "headers": [JSON, (header, comma.join([f"t={at}", *values]))],
        "covers": ["body", "timestamp", "secret"],
        "id": "evt_1NG8Du2eZvKYlo2C" if provider == "stripe" and body is EVENT else None,
    }


def body_only(provider, body=None, secret=None, signature=None):
    """What a provider sends who signs the body and nothing else."""
    header, algorithm, write, prefix = BODY_ONLY[provider]
    secret = secret or text_secret(provider)
    usual, id = BODIES[provider]
    body, id = (usual, id) if body is None else (body, None)
    signature = prefix + write(algorithm, secret, body) if signature is None else signature
    return {
        "provider": provider,
        "source": DOCUMENTED["body"],
        "secrets": [secret],
        "body": body,
        "id": id,
        "headers": [JSON, (header, signature)],
        "covers": ["body", "secret"],
    }


SLACK_EVENT = compact({"token": "z26uFbvR1xHJEdHE1OQiO6t8", "type": "event_callback", "event_id": "Ev0PV52K21"})


def slack(body=SLACK_EVENT, at=NOW, kind=JSON, signature=None):
    """What Slack sends."""
    secret = text_secret("slack")[:32]
    signature = slack_signature(secret, at, body) if signature is None else signature
    return {
        "provider": "slack",
        "source": DOCUMENTED["slack"],
        "secrets": [secret],
        "body": body,
        "headers": [kind, ("x-slack-request-timestamp", str(at)), ("x-slack-signature", signature)],
        "covers": ["body", "timestamp", "secret"],
        "id": "Ev0PV52K21" if body is SLACK_EVENT else None,
    }


ZOOM_EVENT = compact({"event": "meeting.started", "payload": {"object": {"id": "1234567890"}}, "event_ts": NOW * 1000})


def zoom(body=ZOOM_EVENT, at=NOW):
    """What Zoom sends."""
    secret = text_secret("zoom")
    return {
        "provider": "zoom",
        "source": DOCUMENTED["slack"],
        "secrets": [secret],
        "body": body,
        "headers": [JSON, ("x-zm-request-timestamp", str(at)), ("x-zm-signature", slack_signature(secret, at, body))],
        "covers": ["body", "timestamp", "secret"],
    }


# 36 bytes need no padding, 24 neither, and GitLab's 32 do.
STANDARD_SECRET = "whsec_" + base64_of(derived("standard webhooks") + b"more")
STANDARD_SECRETS = {
    "standard-webhooks": STANDARD_SECRET,
    "svix": "whsec_" + base64_of(derived("svix")[:24]),
    "gitlab": "whsec_" + base64_of(derived("gitlab")),
}
STANDARD_ID = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"


def standard(
    provider="standard-webhooks", names="webhook", at=NOW, id=STANDARD_ID, body=EVENT, secrets=None, values=None
):
    """What Standard Webhooks and its kin send; `values` are the header's signatures, else the right one."""
    secret = STANDARD_SECRETS[provider]
    values = values or [standard_signature(secret, id, at, body)]
    return {
        "provider": provider,
        "source": DOCUMENTED["standard"],
        "secrets": secrets or [secret],
        "body": body,
        "id": id,
        "headers": [
            JSON,
            (names + "-id", id),
            (names + "-timestamp", str(at)),
            (names + "-signature", " ".join(values)),
        ],
        "covers": ["body", "timestamp", "id", "secret"],
    }


def standard_v1a(values=None, body=EVENT, at=NOW, keys=()):
    """What Standard Webhooks sends when it signs with Ed25519."""
    private, public = ed25519_key("standard webhooks v1a")
    right = "v1a," + base64_of(private.sign(octets(f"{STANDARD_ID}.{at}.") + body))
    return {
        "provider": "standard-webhooks-v1a",
        "source": DOCUMENTED["v1a"],
        "body": body,
        "id": STANDARD_ID,
        "fields": {"public_keys": [*keys, "whpk_" + base64_of(public)]},
        "headers": [
            JSON,
            ("webhook-id", STANDARD_ID),
            ("webhook-timestamp", str(at)),
            ("webhook-signature", " ".join(values or [right])),
        ],
        "covers": ["body", "timestamp", "id"],
    }


PADDLE_EVENT = compact({"event_id": "evt_01hs0tqfme2xwb2hvwv87p8y3w", "event_type": "customer.created"})
PADDLE_SECRET = "pdl_ntfset_01hs0t3tw21j988db1pam5xg8m_" + text_secret("paddle")[:32]


def paddle(at=NOW, body=PADDLE_EVENT, values=None):
    """What Paddle sends."""
    values = values or ["h1=" + paddle_signature(PADDLE_SECRET, at, body)]
    return {
        "provider": "paddle",
        "source": DOCUMENTED["paddle"],
        "secrets": [PADDLE_SECRET],
        "body": body,
        "headers": [JSON, ("paddle-signature", ";".join([f"ts={at}", *values]))],
        "covers": ["body", "timestamp", "secret"],
        "id": "evt_01hs0tqfme2xwb2hvwv87p8y3w",
    }


TWILIO_URL = "https://hooks.example.com/sms?foo=1&bar=a%20b"
TWILIO_FORM = b"ToCountry=US&MessageSid=SM5f1b&Body=caf%C3%A9+%26+100%25%2B1&NumMedia=0&FromCity=&From=%2B14158675309"


def twilio(form=TWILIO_FORM, url=TWILIO_URL, signed=None, fields=None, kind=FORM):
    """What Twilio sends with a form; `signed` is the URL that it signs if that is another one."""
    secret = text_secret("twilio")[:32]
    return {
        "provider": "twilio",
        "source": DOCUMENTED["twilio"],
        "secrets": [secret],
        "target": url,
        "body": form,
        "fields": {"url": url} if fields is None else fields,
        "headers": [kind, ("x-twilio-signature", twilio_signature(secret, signed or url, form))],
        "covers": ["body", "url", "secret"],
    }


TWILIO_EVENT = compact({"CallSid": "CA123", "ok": True})


def twilio_json(body=TWILIO_EVENT, hashed=None, fields=None):
    """What Twilio sends with JSON; `hashed` is the body whose hash the URL carries if that is another one."""
    digest = hashlib.sha256(body if hashed is None else hashed).hexdigest()
    url = f"https://hooks.example.com/voice?foo=1&bodySHA256={digest}"
    return twilio(b"", url, fields=fields) | {
        "body": body,
        "headers": [
            JSON,
            ("x-twilio-signature", twilio_signature(text_secret("twilio")[:32], url)),
        ],
    }


SQUARE_EVENT = compact({"merchant_id": "MLEFBHHSJGVHD", "type": "payment.updated", "event_id": "ac3ac95b-f97d-458c"})


def square(body=SQUARE_EVENT, url="https://hooks.example.com/square?tenant=1"):
    """What Square sends."""
    secret = text_secret("square")
    return {
        "provider": "square",
        "source": DOCUMENTED["square"],
        "secrets": [secret],
        "target": url,
        "fields": {"url": url},
        "body": body,
        "headers": [JSON, ("x-square-hmacsha256-signature", square_signature(secret, url, body))],
        "covers": ["body", "url", "secret"],
        "id": "ac3ac95b-f97d-458c",
    }


def linear(at=NOW * 1000, body=None):
    """What Linear sends; `at` is what stands for the time in the JSON, as JSON writes it."""
    if body is None:
        body = b'{"action":"create","type":"Issue","webhookTimestamp":%s,"webhookId":"000042e3"}' % octets(at)
    secret = text_secret("linear")
    return {
        "provider": "linear",
        "source": DOCUMENTED["linear"],
        "secrets": [secret],
        "body": body,
        "headers": [JSON, ("linear-delivery", "234d1a4e-b617"), ("linear-signature", hex_mac("sha256", secret, body))],
        "covers": ["body", "timestamp", "secret"],
    }


def discord(
    provider="discord", body=b'{"type":2,"id":"846462639134605312","token":"A_UNIQUE_TOKEN"}', at=NOW, signature=None
):
    """What Discord sends."""
    private, public = ed25519_key("discord")
    signature = private.sign(octets(at) + body) if signature is None else signature
    return {
        "provider": provider,
        "source": DOCUMENTED["discord"],
        "body": body,
        "fields": {"public_keys": [public.hex()]},
        "headers": [JSON, ("x-signature-ed25519", signature.hex()), ("x-signature-timestamp", str(at))],
        "covers": ["body", "timestamp"],
    }


SENDGRID_EVENT = b'[{"email":"hello@world.com","event":"dropped","sg_event_id":"ZHJvcC0x"}]\r\n'


def sendgrid(body=SENDGRID_EVENT, at=NOW, signature=None, pem=False):
    """What SendGrid sends; its key is pasted as it shows it, or between the armour lines of PEM."""
    private = ecdsa_key("sendgrid")
    spki = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    armoured = (
        private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    signature = ecdsa_signature(private, at, body) if signature is None else signature
    return {
        "provider": "sendgrid",
        "source": DOCUMENTED["sendgrid"],
        "body": body,
        "fields": {"public_keys": [armoured if pem else base64_of(spki)]},
        "headers": [
            JSON,
            ("x-twilio-email-event-webhook-signature", base64_of(signature)),
            ("x-twilio-email-event-webhook-timestamp", str(at)),
        ],
        "covers": ["body", "timestamp"],
    }


MAILGUN_TOKEN = "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"


def mailgun(at=NOW, token=MAILGUN_TOKEN, signature=None, event="opened"):
    """What Mailgun sends."""
    secret = text_secret("mailgun")
    signed = {"timestamp": str(at), "token": token, "signature": signature or mailgun_signature(secret, at, token)}
    body = compact({"signature": signed, "event-data": {"event": event, "id": "Ase7i2zsRYeDXztHGENqRA"}})
    return {
        "provider": "mailgun",
        "source": DOCUMENTED["mailgun"],
        "secrets": [secret],
        "body": body,
        "headers": [JSON],
        "covers": ["timestamp", "secret"],
        "covers_json": ["signature.timestamp", "signature.token"],
        "id": token,
    }


HUBSPOT_SECRET = text_secret("hubspot")
HUBSPOT_URL = "https://hooks.example.com/hubspot?portal=62515"
HUBSPOT_EVENT = compact([{"eventId": 1, "subscriptionId": 12345, "attemptNumber": 0, "value": "Müller"}])
HUBSPOT_ESCAPES = (
    "https://hooks.example.com/crm?to=https%3A%2F%2Fa.example%2Fb%3Fc&who=%40x%21%24%27%28y%29%2A%2C%3B"
    "&kept=%20%2B%25%23%26%3D%C3%A9&twice=%253A"
)


def hubspot(at=NOW * 1000, url=HUBSPOT_URL, method="POST", body=HUBSPOT_EVENT, fields=None):
    """What HubSpot sends in its third version."""
    return {
        "provider": "hubspot",
        "source": DOCUMENTED["hubspot"],
        "secrets": [HUBSPOT_SECRET],
        "target": url,
        "method": method,
        "fields": ({"url": url} if fields is None else fields),
        "body": body,
        "headers": [
            JSON,
            ("x-hubspot-request-timestamp", str(at)),
            ("x-hubspot-signature-v3", hubspot_v3_signature(HUBSPOT_SECRET, method, url, body, at)),
        ],
        "covers": ["body", "timestamp", "url", "method", "secret"],
    }


def hubspot_v2(url=HUBSPOT_URL, method="POST", body=HUBSPOT_EVENT, fields=None, signature=None):
    """What HubSpot sends in its second version."""
    signature = signature or hubspot_v2_signature(HUBSPOT_SECRET, method, url, body)
    return {
        "provider": "hubspot-v2",
        "source": DOCUMENTED["hubspot-v2"],
        "secrets": [HUBSPOT_SECRET],
        "target": url,
        "method": method,
        "fields": ({"url": url} if fields is None else fields),
        "body": body,
        "headers": [JSON, ("x-hubspot-signature-version", "v2"), ("x-hubspot-signature", signature)],
        "covers": ["body", "url", "method", "secret"],
    }


def hubspot_v1(body=HUBSPOT_EVENT, signature=None):
    """What HubSpot sends in its first version."""
    signature = signature or hubspot_v1_signature(HUBSPOT_SECRET, body)
    return {
        "provider": "hubspot-v1",
        "source": DOCUMENTED["hubspot-v1"],
        "secrets": [HUBSPOT_SECRET],
        "body": body,
        "headers": [JSON, ("x-hubspot-signature-version", "v1"), ("x-hubspot-signature", signature)],
        "covers": ["body", "secret"],
    }


ZENDESK_EVENT = compact({"type": "zen:event-type:user.created", "id": "01GTV"})


def zendesk(at="2023-11-14T22:13:20Z", body=ZENDESK_EVENT, method="POST"):
    """What Zendesk sends; its hooks may be GET or DELETE, and then have no body."""
    secret = base64_of(derived("zendesk"))
    return {
        "provider": "zendesk",
        "source": DOCUMENTED["zendesk"],
        "secrets": [secret],
        "method": method,
        "body": body,
        "fields": {} if method == "POST" else {"methods": [method]},
        "headers": ([JSON] if body else [])
        + [
            ("x-zendesk-webhook-signature", base64_mac("sha256", secret, at, body)),
            ("x-zendesk-webhook-signature-timestamp", at),
        ],
        "covers": ["body", "timestamp", "secret"] if body else ["timestamp", "secret"],
    }


ADYEN_KEY = derived("adyen").hex().upper()
ADYEN_ITEM = {
    "pspReference": "8515131751004933",
    "merchantAccountCode": "TestMerchant",
    "merchantReference": "order-1",
    "amount": {"value": 1130, "currency": "EUR"},
    "eventCode": "AUTHORISATION",
    "success": "true",
    "eventDate": "2023-11-14T22:13:20+00:00",
    "paymentMethod": "visa",
}
ADYEN_REFUND = ADYEN_ITEM | {
    "pspReference": "8825408195409505",
    "originalReference": "8515131751004933",
    "eventCode": "REFUND",
    "success": "false",
    "amount": {"value": 0, "currency": "JPY"},
    "merchantReference": 'Grüße 😀 "a\\b/c:d"',
}
ADYEN_COVERED = [
    "pspReference",
    "originalReference",
    "merchantAccountCode",
    "merchantReference",
    "amount.value",
    "amount.currency",
    "eventCode",
    "success",
]


def adyen_signed(item, key=ADYEN_KEY):
    """Gives an item with its signature in it."""
    return item | {"additionalData": {"authCode": "076181", "hmacSignature": adyen_signature(key, item)}}


def adyen(*items, body=None):
    """What Adyen sends for payments: any number of items, each with a signature of its own."""
    parts = [{"NotificationRequestItem": item} for item in items]
    return {
        "provider": "adyen",
        "source": DOCUMENTED["adyen"],
        "secrets": [ADYEN_KEY],
        "headers": [JSON],
        "body": body or json.dumps({"live": "false", "notificationItems": parts}).encode(),
        "covers": ["secret"],
        "covers_json": adyen_covered(items),
    }


def adyen_covered(items):
    """Gives the paths of the values that the signatures of the items are over, as far as they are there."""
    return [
        f"notificationItems.{index}.NotificationRequestItem.{path}"
        for index, item in enumerate(items)
        for path in ADYEN_COVERED
        if path.partition(".")[0] in item
    ]


def adyen_platform(body=b'{\n  "type": "balancePlatform.transfer.created"\n}', key=ADYEN_KEY):
    """What Adyen's platform sends."""
    return {
        "provider": "adyen-platform",
        "source": DOCUMENTED["adyen-platform"],
        "secrets": [key],
        "body": body,
        "headers": [JSON, ("hmacsignature", adyen_platform_signature(key, body)), ("protocol", "HmacSHA256")],
        "covers": ["body", "secret"],
    }


BRAINTREE_XML = (
    b'<notification><kind>check</kind><timestamp type="datetime">2023-11-14T22:13:20Z</timestamp></notification>'
)
BRAINTREE_PAYLOAD = base64.encodebytes(BRAINTREE_XML).decode()
BRAINTREE_SECRET = text_secret("braintree")[:32]
BRAINTREE_PUBLIC = "integration_public_key"


def braintree(pairs=None, payload=BRAINTREE_PAYLOAD, more=()):
    """What Braintree sends: a form of signatures, each beside its public key, and of a payload with newlines."""
    pairs = pairs or [f"{BRAINTREE_PUBLIC}|{braintree_signature(BRAINTREE_SECRET, payload)}"]
    form = urllib.parse.urlencode([("bt_signature", "&".join(pairs)), ("bt_payload", payload), *more])
    return {
        "provider": "braintree",
        "source": DOCUMENTED["braintree"],
        "secrets": [BRAINTREE_SECRET],
        "fields": {"key_id": BRAINTREE_PUBLIC},
        "headers": [FORM],
        "body": form.encode(),
        "covers": ["body", "secret"] if len(pairs) == 1 else ["secret"],
    }


TWITCH_ID = "befa7b53-d79d-478f-86b9-120f112b044e"


TWITCH_EVENT = compact({"subscription": {"id": "f1c2a387", "type": "channel.follow"}, "event": {"user_id": "1337"}})


def twitch(body=TWITCH_EVENT, at="2023-11-14T22:13:20.123456789Z", kind="notification"):
    """What Twitch sends."""
    secret = text_secret("twitch")
    return {
        "provider": "twitch",
        "source": DOCUMENTED["twitch"],
        "secrets": [secret],
        "body": body,
        "id": TWITCH_ID,
        "headers": [
            JSON,
            ("twitch-eventsub-message-id", TWITCH_ID),
            ("twitch-eventsub-message-timestamp", at),
            ("twitch-eventsub-message-type", kind),
            ("twitch-eventsub-message-signature", "sha256=" + hex_mac("sha256", secret, TWITCH_ID, at, body)),
        ],
        "covers": ["body", "timestamp", "id", "secret"],
    }


KLAVIYO_EVENT = compact({"data": [{"topic": "event:klaviyo.sent_sms"}]})
KLAVIYO_TIME = email.utils.formatdate(NOW, usegmt=True)


def klaviyo(at=KLAVIYO_TIME, body=KLAVIYO_EVENT):
    """What Klaviyo sends."""
    secret = text_secret("klaviyo")
    return {
        "provider": "klaviyo",
        "source": DOCUMENTED["klaviyo"],
        "secrets": [secret],
        "body": body,
        "headers": [
            JSON,
            ("klaviyo-webhook-id", "01HTK8"),
            ("klaviyo-signature", hex_mac("sha256", secret, body, at)),
            ("klaviyo-timestamp", at),
        ],
        "covers": ["body", "timestamp", "secret"],
    }


PLAID_KEY = ecdsa_key("plaid")
PLAID_KID = "bfbd5111-8e33-4643-8ced-b2e642a72f3c"
# With two spaces of indentation, as Plaid sends it.
PLAID_EVENT = b'{\n  "webhook_code": "DEFAULT_UPDATE",\n  "webhook_type": "TRANSACTIONS"\n}'


def plaid(iat=NOW, body=PLAID_EVENT, hashed=None, header=None, claims=None, sign=None, token=None, keys=None):
    """What Plaid sends; the parts of the JWT may be given."""
    digest = hashlib.sha256(body if hashed is None else hashed).hexdigest()
    claims = {"iat": iat, "request_body_sha256": digest} if claims is None else claims
    header = header or {"alg": "ES256", "kid": PLAID_KID, "typ": "JWT"}
    token = jwt(header, claims, sign or es256(PLAID_KEY)) if token is None else token
    keys = keys or [jwk(ecdsa_key("plaid, another"), "6c5516e1-92dc-479e-a8ff-5a51992e0001"), jwk(PLAID_KEY, PLAID_KID)]
    return {
        "provider": "plaid",
        "source": DOCUMENTED["plaid"],
        "fields": {"key_set": {"keys": keys}},
        "body": body,
        "headers": [JSON, ("plaid-verification", token)],
        "covers": ["body"],
    }


def shared(provider, headers=(), target=TARGET, body=EVENT, covers_json=()):
    """What a provider sends who sends the secret itself."""
    return {
        "provider": provider,
        "source": DOCUMENTED["shared"],
        "secrets": [text_secret(provider)],
        "target": target,
        "headers": [JSON, *headers],
        "body": body,
        "covers": ["secret"],
        "covers_json": covers_json,
    }


def gitlab_token(token=None):
    """What GitLab sends in its older way."""
    token = text_secret("gitlab-token") if token is None else token
    return shared(
        "gitlab-token", [("x-gitlab-event", "Push Hook"), ("x-gitlab-token", token)], body=b'{"object_kind":"push"}'
    )


def telegram(token=None):
    """What Telegram sends to a bot."""
    token = text_secret("telegram") if token is None else token
    return shared("telegram", [("x-telegram-bot-api-secret-token", token)], body=b'{"update_id":10000}')


def figma(passcode=None, body=None):
    """What Figma sends: the passcode is in the body."""
    passcode = text_secret("figma") if passcode is None else passcode
    body = body or compact({"event_type": "FILE_UPDATE", "passcode": passcode, "webhook_id": "22"})
    return shared("figma", body=body, covers_json=["passcode"])


GRID_EVENT = compact([{"id": "1807", "eventType": "recordInserted", "data": {"make": "Ducati"}}])


def event_grid(body=GRID_EVENT, query=None, kind="Notification"):
    """What Azure Event Grid sends: the secret is in the URL that was subscribed."""
    query = "code=" + text_secret("event-grid") if query is None else query
    return shared("event-grid", [("aeg-event-type", kind)], f"{TARGET}?{query}", body)


def cloudevents(query=None):
    """What a sender of CloudEvents sends: the secret is in the URL that was subscribed."""
    query = "access_token=" + text_secret("cloudevents") if query is None else query
    delivery = shared(
        "cloudevents", target=f"{TARGET}?{query}", body=b'{"specversion":"1.0","type":"com.example","id":"A1"}'
    )
    return delivery | {"headers": [("content-type", "application/cloudevents+json")]}


# --- Deliveries that pass ---------------------------------------------------------------------------------------------


def constructed():
    """Gives the deliveries that pass and the handshakes that are answered."""
    made = Deliveries()
    for part in (raw_bodies, with_times, lists, urls, documents, keys_and_tokens, handshakes):
        part(made)
    return made


def raw_bodies(made):
    """Providers that sign the body alone."""
    for provider in BODY_ONLY:
        made.add(f"{provider}/event", body_only(provider))
    made.add(
        "github/form",
        body_only("github", b"payload=%7B%22zen%22%3A%22Design+for+failure.%22%7D")
        | {
            "headers": [
                FORM,
                (
                    "x-hub-signature-256",
                    "sha256="
                    + hex_mac("sha256", text_secret("github"), b"payload=%7B%22zen%22%3A%22Design+for+failure.%22%7D"),
                ),
            ]
        },
    )
    made.add("github/bytes_that_are_no_utf8", body_only("github", ALL_BYTES))
    made.add("github/beyond_ascii", body_only("github", EVENT))
    made.add("github/empty_body", body_only("github", b""), covers=["secret"])
    made.add(
        "github/upper_case_hex",
        body_only(
            "github", signature="sha256=" + hex_mac("sha256", text_secret("github"), BODIES["github"][0]).upper()
        ),
    )
    made.add("github/second_secret", body_only("github"), secrets=[LIST_SECRET, text_secret("github")])
    both = body_only("github")
    both["headers"] = [
        JSON,
        ("x-hub-signature", "sha1=" + hex_mac("sha1", text_secret("github"), both["body"])),
        *both["headers"][1:],
    ]
    made.add("github/both_signatures", both)
    made.add("shopify/bytes_that_are_no_utf8", body_only("shopify", ALL_BYTES))
    events = body_only("shopify")
    made.add(
        "shopify/events_with_both_headers",
        events,
        headers=[*events["headers"], ("shopify-hmac-sha256", events["headers"][1][1])],
    )
    made.add("asana/heartbeat", body_only("asana", b'{"events":[]}'))
    made.add("paystack/beyond_ascii", body_only("paystack", EVENT))
    made.add("line/beyond_ascii", body_only("line", EVENT))
    made.add("adyen-platform/event", adyen_platform())
    made.add("adyen-platform/lower_case_key", adyen_platform(key=ADYEN_KEY.lower()))
    made.add("hubspot-v1/event", hubspot_v1())
    sha384 = hex_mac("sha384", text_secret("sha384"), EVENT)
    made.add(
        "scheme/hmac_sha384",
        {
            "scheme": {"algorithm": "hmac-sha384", "signature": {"header": "x-signature"}},
            "source": "HMAC-SHA384 over the raw body",
            "secrets": [text_secret("sha384")],
            "headers": [("x-signature", sha384)],
            "body": EVENT,
            "covers": ["body", "secret"],
        },
    )
    url_safe = base64.urlsafe_b64encode(mac("sha256", text_secret("url-safe"), ALL_BYTES)).decode()
    made.add(
        "scheme/base64url",
        {
            "scheme": {"algorithm": "hmac-sha256", "signature": {"header": "x-signature", "encoding": "base64url"}},
            "source": "HMAC-SHA256 over the raw body, in base64 for URLs",
            "secrets": [text_secret("url-safe")],
            "headers": [("x-signature", url_safe)],
            "body": ALL_BYTES,
            "covers": ["body", "secret"],
        },
    )


def with_times(made):
    """Providers that sign a time: at the moment, and at the last moment that is tolerated."""
    for provider in STRIPE_LIKE:
        made.add(f"{provider}/event", stripe_like(provider))
    for name, now in (("oldest", NOW + 300), ("furthest_ahead", NOW - 300)):
        made.add(f"stripe/{name}", stripe_like(), now=now)
        made.add(f"slack/{name}", slack(), now=now)
        made.add(f"standard-webhooks/{name}", standard(), now=now, fields={"tolerance": "5m"})
        made.add(f"hubspot/{name}", hubspot(), now=now, fields={"url": HUBSPOT_URL, "tolerance": "5m"})
        made.add(f"zendesk/{name}", zendesk(), now=now, fields={"tolerance": "5m"})
        made.add(f"klaviyo/{name}", klaviyo(), now=now, fields={"tolerance": "5m"})
    made.add(
        "stripe/oldest_of_two_tolerances",
        stripe_like(),
        now=NOW + 300,
        fields={"tolerance": {"past": "5m", "future": "1m"}},
    )
    made.add(
        "stripe/furthest_of_two_tolerances",
        stripe_like(),
        now=NOW - 60,
        fields={"tolerance": {"past": "5m", "future": "1m"}},
    )
    made.add("stripe/bytes_that_are_no_utf8", stripe_like(body=ALL_BYTES))
    made.add("stripe/empty_body", stripe_like(body=b""), covers=["timestamp", "secret"])
    made.add("slack/event", slack())
    made.add(
        "slack/slash_command",
        slack(b"token=gIkuvaNzQIHg97ATvDxqgjtO&command=%2Fweather&text=94070+%E2%98%83", kind=FORM),
    )
    made.add("zoom/event", zoom())
    made.add("paddle/event", paddle())
    made.add("paddle/oldest", paddle(), now=NOW + 5, fields={"tolerance": "5s"})
    made.add("linear/event", linear())
    made.add("linear/milliseconds", linear(NOW * 1000 + 123))
    made.add("linear/oldest", linear(), now=NOW + 60, fields={"tolerance": "60s"})
    made.add("linear/furthest_ahead", linear(), now=NOW - 60, fields={"tolerance": "60s"})
    made.add(
        "linear/with_the_header_too", linear(), headers=[("linear-timestamp", str(NOW * 1000)), *linear()["headers"]]
    )
    made.add("workos/oldest", stripe_like("workos"), now=NOW + 180, fields={"tolerance": "3m"})
    made.add("calendly/oldest", stripe_like("calendly"), now=NOW + 180, fields={"tolerance": "3m"})
    made.add("zendesk/event", zendesk())
    made.add("zendesk/another_zone", zendesk("2023-11-15T03:43:20+05:30"))
    made.add("zendesk/get", zendesk(body=b"", method="GET"))
    made.add("zendesk/delete", zendesk(body=b"", method="DELETE"))
    made.add("twitch/event", twitch())
    made.add("klaviyo/event", klaviyo())
    made.add("discord/interaction", discord())
    made.add(
        "discord-events/event",
        discord(
            "discord-events",
            b'{"version":1,"application_id":"1234560123453231555","type":1,"event":{"type":"ENTITLEMENT_CREATE"}}',
        ),
    )
    made.add("sendgrid/event", sendgrid())
    made.add("sendgrid/pem", sendgrid(pem=True))
    made.add("sendgrid/bytes_that_are_no_utf8", sendgrid(ALL_BYTES))


def lists(made):
    """Headers with several signatures, of which one counts, and providers that send several headers."""
    wrong = "0" * 64
    right = "v1=" + stripe_signature(STRIPE_SECRET, NOW, EVENT)
    other = "v1=" + stripe_signature(LIST_SECRET, NOW, EVENT)
    made.add("stripe/second_of_two", stripe_like(values=[other, right]))
    made.add("stripe/unknown_versions", stripe_like(values=["v0=" + wrong, "v2=" + wrong, right, "note=hello"]))
    made.add("stripe/malformed_first", stripe_like(values=["v1=zz", "v1=", "v1", right]))
    made.add("stripe/white_space", stripe_like(values=[" " + other + " ", "  " + right]))
    made.add("stripe/time_last", stripe_like(), headers=[JSON, ("stripe-signature", f"{right},t={NOW}")])
    made.add("stripe/second_secret", stripe_like(secrets=[LIST_SECRET, STRIPE_SECRET]))

    made.add("standard-webhooks/event", standard())
    made.add("svix/event", standard("svix", "svix"))
    made.add("svix/standard_names", standard("svix", "webhook"))
    made.add("gitlab/event", standard("gitlab", id="f5e5f430-f57b-4e6e-9fac-d9128cd7232f"))
    signature = standard_signature(STANDARD_SECRET, STANDARD_ID, NOW, EVENT)
    unlike = standard_signature("whsec_" + base64_of(derived("old")), STANDARD_ID, NOW, EVENT)
    made.add("standard-webhooks/second_of_two", standard(values=[unlike, signature]))
    made.add(
        "standard-webhooks/unknown_versions", standard(values=["v2," + signature[3:], "v1a," + unlike[3:], signature])
    )
    made.add("standard-webhooks/malformed_first", standard(values=["v1,*", "v1,", "v1", signature]))
    made.add(
        "standard-webhooks/second_secret", standard(secrets=["whsec_" + base64_of(derived("old")), STANDARD_SECRET])
    )
    made.add("standard-webhooks/secret_without_prefix", standard(secrets=[STANDARD_SECRET.removeprefix("whsec_")]))
    made.add("standard-webhooks/bytes_that_are_no_utf8", standard(body=ALL_BYTES))

    v1a = standard_v1a()["headers"][-1][1]
    stranger, stranger_public = ed25519_key("a stranger")
    strange = "v1a," + base64_of(stranger.sign(b"something else"))
    made.add("standard-webhooks-v1a/event", standard_v1a())
    made.add("standard-webhooks-v1a/second_of_two", standard_v1a(values=[strange, v1a]))
    made.add("standard-webhooks-v1a/beside_v1", standard_v1a(values=[signature, v1a]))
    made.add("standard-webhooks-v1a/malformed_first", standard_v1a(values=["v1a,AAAA", "v1a", v1a]))
    made.add("standard-webhooks-v1a/second_key", standard_v1a(keys=["whpk_" + base64_of(stranger_public)]))

    h1 = "h1=" + paddle_signature(PADDLE_SECRET, NOW, PADDLE_EVENT)
    made.add("paddle/second_of_two", paddle(values=["h1=" + wrong, h1]))
    made.add("paddle/malformed_first", paddle(values=["h1=dummy", "h2=" + wrong, h1]))

    workos = STRIPE_LIKE["workos"][-1]
    made.add(
        "workos/second_of_two",
        stripe_like("workos", values=["v1=" + wrong, "v1=" + stripe_signature(workos, NOW * 1000, EVENT)]),
    )

    for provider in ("pagerduty", "circleci"):
        of_body = body_only(provider)["headers"][1][1]
        made.add(
            f"{provider}/second_of_two",
            body_only(provider, signature=f"v1={wrong},{of_body}"),
            covers=["body", "secret"],
        )
        made.add(f"{provider}/unknown_versions", body_only(provider, signature=f"v0={wrong},{of_body},v2=unknown"))
        made.add(f"{provider}/malformed_first", body_only(provider, signature=f"v1=xyz,v1,{of_body}"))

    right = body_only("docusign")["headers"][1][1]
    others = [base64_mac("sha256", text_secret(f"docusign, another {n}"), BODIES["docusign"][0]) for n in (1, 2)]
    numbered = [(f"x-docusign-signature-{n}", value) for n, value in enumerate([*others, right], 1)]
    made.add("docusign/third_header", body_only("docusign"), headers=[JSON, *numbered])
    made.add(
        "docusign/malformed_first", body_only("docusign"), headers=[JSON, ("x-docusign-signature-1", "*"), numbered[2]]
    )


def urls(made):
    """Providers that sign the URL: given whole, given up to the path, and taken from the request."""
    origin = {"url": "https://hooks.example.com"}
    for name, fields in (("", None), ("_origin", origin), ("_of_the_request", {})):
        made.add(f"twilio/form{name}", twilio(fields=fields))
        made.add(f"twilio/json{name}", twilio_json(fields=fields))
        made.add(f"hubspot/event{name}", hubspot(fields=fields))
        made.add(f"hubspot/escapes{name}", hubspot(url=HUBSPOT_ESCAPES, fields=fields))
        made.add(f"hubspot-v2/event{name}", hubspot_v2(fields=fields))
        # Version 2 signs the URL as it is.
        made.add(f"hubspot-v2/escapes{name}", hubspot_v2(url=HUBSPOT_ESCAPES, fields=fields))
    made.add("twilio/behind_a_proxy", twilio(), target="http://10.0.0.7:8080/internal")
    made.add("twilio/duplicates", twilio(b"Digits=5678&B=2&Digits=1234&Digits=5678&Digits=&B=10"))
    made.add("twilio/escaped_names", twilio(b"a%3Db=1&Media%5B0%5D=x%3Dy=z&flag&c+d=+e+"))
    made.add("twilio/names_that_begin_alike", twilio(b"ab=c&a=bc&aB=c&A=Bc"))
    made.add("twilio/empty_form", twilio(b""), covers=["url", "secret"])
    made.add("twilio/charset", twilio(kind=("content-type", "application/x-www-form-urlencoded; charset=UTF-8")))
    made.add("twilio/without_query", twilio(url="https://hooks.example.com/sms"))
    made.add("twilio/default_port_signed", twilio(signed="https://hooks.example.com:443/sms?foo=1&bar=a%20b"))
    made.add(
        "twilio/default_port_signed_of_the_request",
        twilio(signed="https://hooks.example.com:443/sms?foo=1&bar=a%20b", fields={}),
    )
    made.add(
        "twilio/port_not_signed",
        twilio(url="https://hooks.example.com:8443/sms", signed="https://hooks.example.com/sms"),
        covers=["body", "secret"],
    )
    made.add("twilio/port_signed", twilio(url="https://hooks.example.com:8443/sms"))
    made.add(
        "twilio/port_not_signed_of_the_request",
        twilio(url="https://hooks.example.com:8443/sms", signed="https://hooks.example.com/sms", fields={}),
    )
    made.add("twilio/json_empty_body", twilio_json(b""), covers=["url", "secret"])
    made.add("twilio/json_bytes_that_are_no_utf8", twilio_json(ALL_BYTES))
    form_hash = hashlib.sha256(TWILIO_FORM).hexdigest()
    made.add("twilio/form_with_a_hash", twilio(url=f"https://hooks.example.com/sms?bodySHA256={form_hash}"))
    made.add("twilio/second_token", twilio(), secrets=[LIST_SECRET, text_secret("twilio")[:32]])
    made.add("square/event", square())
    made.add("square/behind_a_proxy", square(), target="http://10.0.0.7:8080/internal")
    made.add(
        "hubspot-v2/get",
        hubspot_v2(method="GET", body=b"", fields={"url": HUBSPOT_URL, "methods": ["GET"]}),
        covers=["url", "method", "secret"],
    )
    made.add(
        "hubspot/get",
        hubspot(method="GET", body=b"", fields={"url": HUBSPOT_URL, "methods": ["GET"]}),
        covers=["timestamp", "url", "method", "secret"],
    )


def documents(made):
    """Providers whose signature is in the body."""
    made.add("mailgun/event", mailgun())
    pretty = mailgun()
    pretty["body"] = json.dumps(dict(reversed(json.loads(pretty["body"]).items())), indent=2).encode()
    made.add("mailgun/object_last", pretty)
    secret, token = text_secret("mailgun"), MAILGUN_TOKEN
    form = {"timestamp": NOW, "token": token, "signature": mailgun_signature(secret, NOW, token), "event": "opened"}
    made.add(
        "scheme/mailgun_form",
        {
            "scheme": {
                "algorithm": "hmac-sha256",
                "signature": {"form": "signature"},
                "timestamp": {"form": "timestamp"},
                "content": "{timestamp}{form:token}",
            },
            "source": "the older form of Mailgun's deliveries",
            "secrets": [secret],
            "headers": [FORM],
            "body": urllib.parse.urlencode(form).encode(),
            "covers": ["timestamp", "secret"],
        },
    )
    made.add("adyen/one_item", adyen(adyen_signed(ADYEN_ITEM)))
    made.add("adyen/two_items", adyen(adyen_signed(ADYEN_ITEM), adyen_signed(ADYEN_REFUND)))
    plain = compact({"live": "false", "notificationItems": [{"NotificationRequestItem": adyen_signed(ADYEN_REFUND)}]})
    made.add("adyen/unescaped", adyen(ADYEN_REFUND, body=plain))
    nothing = ADYEN_ITEM | {"originalReference": None, "merchantReference": ""}
    made.add(
        "adyen/null_and_empty",
        adyen(adyen_signed(nothing)),
        covers_json=[
            path for path in adyen_covered([nothing]) if not path.endswith(("originalReference", "merchantReference"))
        ],
    )
    made.add("braintree/event", braintree())
    right = f"{BRAINTREE_PUBLIC}|{braintree_signature(BRAINTREE_SECRET, BRAINTREE_PAYLOAD)}"
    other = f"another_public_key|{braintree_signature('another private key', BRAINTREE_PAYLOAD)}"
    made.add("braintree/second_pair", braintree([other, right]))
    made.add("braintree/first_pair", braintree([right, other]))
    made.add("braintree/malformed_first", braintree(["nothing", BRAINTREE_PUBLIC + "|xyz", right]))


def keys_and_tokens(made):
    """Plaid's JWT, and providers that send the secret itself."""
    made.add("plaid/event", plaid())
    made.add("plaid/beyond_ascii", plaid(body=EVENT))
    made.add("plaid/oldest", plaid(), now=NOW + 300, fields=plaid()["fields"] | {"tolerance": "5m"})
    whole = jwk(PLAID_KEY, PLAID_KID) | {"alg": "ES256", "use": "sig", "created_at": NOW - 86400, "expired_at": None}
    made.add("plaid/key_as_plaid_gives_it", plaid(keys=[whole]))
    made.add("gitlab-token/event", gitlab_token())
    made.add("gitlab-token/second_secret", gitlab_token(), secrets=[LIST_SECRET, text_secret("gitlab-token")])
    made.add("telegram/event", telegram())
    made.add("figma/event", figma())
    made.add("event-grid/event", event_grid())
    made.add("cloudevents/event", cloudevents())


def get(provider, query, secrets=None, fields=None):
    """A GET with a query, which is how some providers make sure of a URL."""
    return {
        "provider": provider,
        "source": "the provider's handshake by GET",
        "secrets": secrets or [text_secret(provider)],
        "fields": fields or {},
        "method": "GET",
        "target": f"{TARGET}?{query}",
    }


SLACK_CHALLENGE = compact(
    {
        "token": "Jhj5dZrVaK7ZwHHjRyZWjbDl",
        "type": "url_verification",
        "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P",
    }
)
ZOOM_CHALLENGE = compact(
    {"payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}, "event_ts": NOW * 1000, "event": "endpoint.url_validation"}
)
TWITCH_CHALLENGE = compact(
    {
        "challenge": "pogchamp-kappa-360noscope-vohiyo",
        "subscription": {"id": "f1c2a387", "status": "webhook_callback_verification_pending"},
    }
)
META_TOKEN = text_secret("a token to verify with")
META_FIELDS = {"handshake_token": {"inline": META_TOKEN}}
BRAINTREE_CHALLENGE = "20f9f8ed05f77439fe955c977e4c8a53"
GRID_CODE = "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"
GRID_CHALLENGE = compact(
    [
        {
            "id": "2d1781af-3a4c-4d7c-bd0c-e34b19da4e66",
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "data": {
                "validationCode": GRID_CODE,
                "validationUrl": "https://rp-eastus2.eventgrid.azure.net/validate?id=1",
            },
        }
    ]
)
ASANA_CHALLENGE = "b537207f20cbfa02357cf448134da559e8bd39d61597dcd5631b8012eae53e81"
CLOUDEVENTS_ORIGIN = ("webhook-request-origin", "eventemitter.example.com")


def zoom_answer(token):
    """Gives Zoom's answer: the token, and its HMAC under the secret."""
    return compact({"plainToken": token, "encryptedToken": hex_mac("sha256", text_secret("zoom"), token)}).decode()


def handshakes(made):
    """What a provider sends to make sure of a URL, and what it wants to be answered."""
    made.add(
        "slack/url_verification",
        slack(SLACK_CHALLENGE),
        expect=answered(200, json.loads(SLACK_CHALLENGE)["challenge"], "text/plain"),
    )
    made.add(
        "slack/ssl_check",
        {
            "provider": "slack",
            "source": "Slack's check of the certificate: a form that is not signed",
            "headers": [FORM],
            "secrets": [text_secret("slack")[:32]],
            "body": b"ssl_check=1&token=gIkuvaNzQIHg97ATvDxqgjtO",
            "expect": answered(200),
        },
    )
    made.add(
        "zoom/url_validation",
        zoom(ZOOM_CHALLENGE),
        expect=answered(200, zoom_answer("qgg8vlvZRS6UYooatFL8Aw"), "application/json"),
    )
    for provider in ("meta", "whatsapp"):
        query = f"hub.mode=subscribe&hub.verify_token={META_TOKEN}&hub.challenge=1158201444"
        made.add(
            f"{provider}/verification", get(provider, query, fields=META_FIELDS), expect=answered(200, "1158201444")
        )
        swapped = f"hub.challenge=1158201444&hub.mode=subscribe&hub.verify_token={META_TOKEN}"
        made.add(
            f"{provider}/verification_in_another_order",
            get(provider, swapped, fields=META_FIELDS),
            expect=answered(200, "1158201444"),
        )
    made.add(
        "dropbox/verification",
        get("dropbox", "challenge=JKlmnopQR-_1234"),
        expect=answered(200, "JKlmnopQR-_1234", "text/plain", {"x-content-type-options": "nosniff"}),
    )
    made.add(
        "asana/hook_secret",
        {
            "provider": "asana",
            "source": "Asana's first request, whose header is sent back",
            "body": b"{}",
            "secrets": [text_secret("asana")],
            "headers": [JSON, ("x-hook-secret", ASANA_CHALLENGE)],
            "expect": answered(200, headers={"x-hook-secret": ASANA_CHALLENGE}),
        },
    )
    made.add(
        "event-grid/validation",
        event_grid(GRID_CHALLENGE, kind="SubscriptionValidation"),
        covers=(),
        expect=answered(200, compact({"validationResponse": GRID_CODE}).decode(), "application/json"),
    )
    made.add(
        "cloudevents/options",
        cloudevents(),
        method="OPTIONS",
        body=b"",
        headers=[CLOUDEVENTS_ORIGIN],
        expect=answered(200, headers={"webhook-allowed-origin": "eventemitter.example.com"}),
        covers=(),
    )
    made.add(
        "discord/ping",
        discord(body=b'{"id":"1","type":1,"version":1}'),
        expect=answered(200, '{"type":1}', "application/json"),
    )
    made.add(
        "discord-events/ping",
        discord("discord-events", b'{"version":1,"application_id":"1234560123453231555","type":0}'),
        expect=answered(204),
    )
    made.add(
        "braintree/challenge",
        get("braintree", "bt_challenge=" + BRAINTREE_CHALLENGE, [BRAINTREE_SECRET], {"key_id": BRAINTREE_PUBLIC}),
        expect=answered(200, f"{BRAINTREE_PUBLIC}|{braintree_signature(BRAINTREE_SECRET, BRAINTREE_CHALLENGE)}"),
    )
    made.add(
        "twitch/verification",
        twitch(TWITCH_CHALLENGE, kind="webhook_callback_verification"),
        expect=answered(200, "pogchamp-kappa-360noscope-vohiyo", "text/plain"),
    )


# --- Deliveries that are refused --------------------------------------------------------------------------------------


def refused():
    """Gives the deliveries that are refused, each with the one reason why."""
    made = Deliveries()
    for part in (
        bad_times,
        unreadable_times,
        bad_signatures,
        wrong_constructions,
        bad_lists,
        bad_urls,
        bad_documents,
        bad_tokens,
        bad_secrets,
        bad_handshakes,
    ):
        part(made)
    return made


def bad_times(made):
    """Times one second beyond what is tolerated."""
    by_provider = [
        ("stripe", stripe_like(), 300, {}),
        ("slack", slack(), 300, {}),
        ("zoom", zoom(), 300, {"tolerance": "5m"}),
        ("tailscale", stripe_like("tailscale"), 300, {"tolerance": "5m"}),
        ("mux", stripe_like("mux"), 300, {"tolerance": "5m"}),
        ("calendly", stripe_like("calendly"), 180, {"tolerance": "3m"}),
        ("workos", stripe_like("workos"), 180, {"tolerance": "3m"}),
        ("paddle", paddle(), 5, {"tolerance": "5s"}),
        ("standard-webhooks", standard(), 300, {"tolerance": "5m"}),
        ("svix", standard("svix", "svix"), 300, {"tolerance": "5m"}),
        ("gitlab", standard("gitlab"), 300, {"tolerance": "5m"}),
        ("standard-webhooks-v1a", standard_v1a(), 300, {"tolerance": "5m"}),
        ("linear", linear(), 60, {"tolerance": "60s"}),
        ("discord", discord(), 300, {"tolerance": "5m"}),
        ("sendgrid", sendgrid(), 300, {"tolerance": "5m"}),
        ("mailgun", mailgun(), 300, {"tolerance": "5m"}),
        ("hubspot", hubspot(), 300, {"tolerance": "5m"}),
        ("zendesk", zendesk(), 300, {"tolerance": "5m"}),
        ("twitch", twitch(at="2023-11-14T22:13:20Z"), 300, {"tolerance": "5m"}),
        ("klaviyo", klaviyo(), 300, {"tolerance": "5m"}),
        ("plaid", plaid(), 300, {"tolerance": "5m"}),
    ]
    for provider, delivery, seconds, fields in by_provider:
        fields = delivery.get("fields", {}) | fields
        made.add(
            f"{provider}/too_old",
            delivery,
            f"sent {seconds + 1} seconds ago, {seconds} are tolerated",
            now=NOW + seconds + 1,
            fields=fields,
        )
        made.add(
            f"{provider}/from_the_future",
            delivery,
            f"sent {seconds + 1} seconds from now, {seconds} are tolerated",
            now=NOW - seconds - 1,
            fields=fields,
        )
    two = {"tolerance": {"past": "5m", "future": "1m"}}
    made.add(
        "stripe/too_old_of_two_tolerances",
        stripe_like(),
        "sent 301 seconds ago, 300 are tolerated",
        now=NOW + 301,
        fields=two,
    )
    made.add(
        "stripe/from_the_future_of_two_tolerances",
        stripe_like(),
        "sent 61 seconds from now, 60 are tolerated",
        now=NOW - 61,
        fields=two,
    )
    made.add("plaid/six_minutes_old", plaid(iat=NOW - 360), "the JWT is six minutes old")
    made.add("plaid/six_minutes_ahead", plaid(iat=NOW + 360), "the JWT is from six minutes ahead")


def unreadable_times(made):
    """Times in a form that is none, although they are signed as they are."""
    forms = {
        "leading_zero": "0" + str(NOW),
        "plus_sign": "+" + str(NOW),
        "space_before": " " + str(NOW),
        "space_within": "17000 00000",
        "decimals": f"{NOW}.0",
        "minus_sign": "-" + str(NOW),
        "exponent": "17e8",
        "underscores": "1_700_000_000",
        "hexadecimal": hex(NOW),
        "too_many_digits": "9" * 25,
        "empty": "",
        "milliseconds": NOW * 1000,
        "date": "2023-11-14T22:13:20Z",
    }
    for name, at in forms.items():
        made.add(
            f"stripe/time_with_{name}" if "_" in name else f"stripe/time_{name}",
            stripe_like(at=at),
            f"the time is {str(at)!r}, which are no plain Unix seconds around now",
        )
    for name in ("leading_zero", "plus_sign", "space_within", "decimals", "minus_sign", "empty"):
        made.add(
            f"slack/time_with_{name}",
            slack(at=forms[name]),
            f"the time is {forms[name]!r}, which are no plain Unix seconds",
        )
        made.add(
            f"standard-webhooks/time_with_{name}",
            standard(at=forms[name]),
            f"the time is {forms[name]!r}, which are no plain Unix seconds",
        )
    made.add(
        "stripe/no_time",
        stripe_like(),
        "the header has no `t`",
        headers=[JSON, ("stripe-signature", "v1=" + stripe_signature(STRIPE_SECRET, NOW, EVENT))],
    )
    made.add("slack/no_time", slack(), "the time is missing", headers=[JSON, slack()["headers"][2]])
    made.add(
        "slack/two_times",
        slack(),
        "the header of the time occurs twice",
        headers=[*slack()["headers"], ("x-slack-request-timestamp", str(NOW - 1))],
    )
    made.add(
        "slack/the_same_time_twice",
        slack(),
        "the header of the time occurs twice",
        headers=[*slack()["headers"], ("x-slack-request-timestamp", str(NOW))],
    )
    made.add("hubspot/seconds", hubspot(at=NOW), "the time is in seconds, where milliseconds are due")
    made.add("hubspot/time_with_decimals", hubspot(at=f"{NOW * 1000}.0"), "the time has decimals")
    for name, at in {
        "without_zone": "2023-11-14T22:13:20",
        "month_13": "2023-13-14T22:13:20Z",
        "february_30": "2023-02-30T22:13:20Z",
        "hour_24": "2023-11-14T24:13:20Z",
        "date_only": "2023-11-14",
        "unix_seconds": str(NOW),
        "http_date": "Tue, 14 Nov 2023 22:13:20 GMT",
        "text_after": "2023-11-14T22:13:20Z0",
        "empty_fraction": "2023-11-14T22:13:20.Z",
    }.items():
        made.add(f"zendesk/time_{name}", zendesk(at), f"the time is {at!r}, which is no RFC 3339")
    for name, at in {
        "with_another_zone": "Tue, 14 Nov 2023 22:13:20 +0000",
        "rfc3339": "2023-11-14T22:13:20Z",
        "unix_seconds": str(NOW),
        "november_31": "Fri, 31 Nov 2023 22:13:20 GMT",
        "text_after": "Tue, 14 Nov 2023 22:13:20 GMT0",
    }.items():
        made.add(f"klaviyo/time_{name}", klaviyo(at), f"the time is {at!r}, which is no IMF-fixdate")
    twice = b'{"action":"create","webhookTimestamp":%d,"webhookTimestamp":%d}'
    made.add(
        "linear/time_twice",
        linear(body=twice % (NOW * 1000, NOW * 1000 - 3_600_000)),
        "the body has the time twice: which one counts is anyone's guess",
    )
    made.add(
        "linear/time_twice_the_other_way",
        linear(body=twice % (NOW * 1000 - 3_600_000, NOW * 1000)),
        "the body has the time twice: which one counts is anyone's guess",
    )
    made.add(
        "linear/time_twice_escaped",
        linear(body=rb'{"webhookTimestamp":%d,"webhook\u0054imestamp":%d}' % (NOW * 1000, NOW * 1000)),
        "the body has the time twice, once with an escape in its name",
    )
    made.add(
        "linear/no_time",
        linear(body=b'{"action":"create"}'),
        "the body has no time, and what a header says is not signed",
        headers=[
            ("linear-timestamp", str(NOW * 1000)),
            JSON,
            ("linear-signature", hex_mac("sha256", text_secret("linear"), b'{"action":"create"}')),
        ],
    )
    for name, at in {
        "decimals": f"{NOW * 1000}.5",
        "null": "null",
        "object": "{}",
        "minus_sign": f"-{NOW * 1000}",
    }.items():
        made.add(f"linear/time_{name}", linear(at), f"the time is {at}, which are no milliseconds")
    for name, body in {
        "no_json": b"webhookTimestamp=1",
        "cut_off": linear()["body"][:-1],
        "text_after": linear()["body"] + b"}",
        "empty_body": b"",
    }.items():
        made.add(f"linear/{name}", linear(body=body), "the body is no JSON, so it has no time")


def bad_signatures(made):
    """Signatures that are not there, not whole, not in the form that is due, or of something else."""
    body = BODIES["github"][0]
    digest = mac("sha256", text_secret("github"), body)
    right = digest.hex()
    sha1 = hex_mac("sha1", text_secret("github"), body)
    for name, signature, why in [
        ("truncated", "sha256=" + right[:-2], "the signature lacks its last byte"),
        ("truncated_by_half_a_byte", "sha256=" + right[:-1], "the signature lacks its last digit"),
        ("half", "sha256=" + right[:32], "the signature is the first half of the right one"),
        ("longer", "sha256=" + right + "00", "the signature has a byte too many"),
        ("wrong_prefix", "sha1=" + right, "the right signature after the prefix of another one"),
        ("prefix_of_a_version", "v1=" + right, "the right signature after the prefix of another provider"),
        ("no_prefix", right, "the right signature without its prefix"),
        ("prefix_twice", "sha256=sha256=" + right, "the prefix stands there twice"),
        ("prefix_only", "sha256=", "nothing stands after the prefix"),
        ("empty", "", "the header is empty"),
        ("sha1", "sha256=" + sha1, "a SHA-1 signature where SHA-256 is configured"),
        ("sha1_with_its_prefix", "sha1=" + sha1, "a SHA-1 signature where SHA-256 is configured"),
        ("base64", "sha256=" + base64_of(digest), "base64 where hex is due"),
        (
            "another_body",
            "sha256=" + hex_mac("sha256", text_secret("github"), body + b"\n"),
            "the signature of another body",
        ),
        ("another_secret", "sha256=" + hex_mac("sha256", LIST_SECRET, body), "the signature under another secret"),
        ("empty_secret", "sha256=" + hex_mac("sha256", "", body), "the signature under the empty secret"),
        ("zeros", "sha256=" + "0" * 64, "the signature is all zeros"),
        ("no_hex", "sha256=" + "g" * 64, "the signature is no hex"),
        ("two_in_one", f"sha256={right},sha256={right}", "two signatures where one is due"),
        ("hash_without_key", "sha256=" + hashlib.sha256(body).hexdigest(), "a hash anyone can make, without a key"),
        ("text_after", "sha256=" + right + ";", "something stands after the signature"),
    ]:
        made.add(f"github/{name}", body_only("github", signature=signature), why)
    header = ("x-hub-signature-256", "sha256=" + right)
    made.add("github/missing", body_only("github"), "the header is missing", headers=[JSON])
    made.add("github/twice", body_only("github"), "the header occurs twice", headers=[JSON, header, header])
    made.add(
        "github/twice_first_wrong",
        body_only("github"),
        "the header occurs twice",
        headers=[JSON, ("x-hub-signature-256", "sha256=" + "0" * 64), header],
    )
    made.add(
        "github/in_the_other_header",
        body_only("github"),
        "the SHA-256 signature is in the header of the SHA-1 one",
        headers=[JSON, ("x-hub-signature", "sha256=" + right)],
    )
    made.add(
        "github/only_the_old_header",
        body_only("github"),
        "only the SHA-1 signature is there",
        headers=[JSON, ("x-hub-signature", "sha1=" + sha1)],
    )
    made.add(
        "github-sha1/sha256",
        body_only("github-sha1", signature="sha256=" + right),
        "a SHA-256 signature where SHA-1 is configured",
    )
    made.add(
        "github-sha1/in_the_other_header",
        body_only("github-sha1"),
        "only the header of SHA-256 is there",
        headers=[JSON, header],
    )
    made.add(
        "bitbucket/sha1",
        body_only("bitbucket", signature="sha1=" + hex_mac("sha1", text_secret("bitbucket"), BODIES["bitbucket"][0])),
        "a SHA-1 signature where SHA-256 is configured",
    )
    made.add(
        "intercom/sha256",
        body_only("intercom", signature="sha256=" + hex_mac("sha256", text_secret("intercom"), BODIES["intercom"][0])),
        "a SHA-256 signature where SHA-1 is configured",
    )
    made.add("github/get", body_only("github"), "the method is none that the endpoint takes", method="GET")
    made.add("github/body_gone", body_only("github"), "the body is gone", body=b"")
    shopify = mac("sha256", text_secret("shopify"), BODIES["shopify"][0])
    made.add("shopify/hex", body_only("shopify", signature=shopify.hex()), "hex where base64 is due")
    made.add(
        "shopify/truncated",
        body_only("shopify", signature=base64_of(shopify[:-1])),
        "the signature lacks its last byte",
    )
    made.add(
        "shopify/with_prefix",
        body_only("shopify", signature="sha256=" + base64_of(shopify)),
        "a prefix that is not due",
    )
    made.add(
        "typeform/hex",
        body_only(
            "typeform", signature="sha256=" + mac("sha256", text_secret("typeform"), BODIES["typeform"][0]).hex()
        ),
        "hex where base64 is due",
    )
    made.add(
        "typeform/no_prefix",
        body_only("typeform", signature=base64_mac("sha256", text_secret("typeform"), BODIES["typeform"][0])),
        "the right signature without its prefix",
    )
    made.add(
        "paystack/sha256",
        body_only("paystack", signature=hex_mac("sha256", text_secret("paystack"), BODIES["paystack"][0])),
        "a SHA-256 signature where SHA-512 is due",
    )
    made.add(
        "vercel/sha256",
        body_only("vercel", signature=hex_mac("sha256", text_secret("vercel"), BODIES["vercel"][0])),
        "a SHA-256 signature where SHA-1 is due",
    )
    made.add("slack/another_body", slack(), "the signature of another body", body=SLACK_EVENT + b" ")
    made.add(
        "slack/another_time",
        slack(),
        "the signature of another time",
        headers=[JSON, ("x-slack-request-timestamp", str(NOW + 1)), slack()["headers"][2]],
    )
    made.add(
        "slack/no_prefix",
        slack(signature=slack_signature(text_secret("slack")[:32], NOW, SLACK_EVENT)[3:]),
        "the right signature without its prefix",
    )
    made.add("slack/missing", slack(), "the signature is missing", headers=slack()["headers"][:2])

    private, public = ed25519_key("discord")
    body = discord()["body"]
    good = private.sign(octets(NOW) + body)
    order = 2**252 + 27742317777372353535851937790883648493
    scalar = int.from_bytes(good[32:], "little") + order
    made.add(
        "discord/second_form_of_the_signature",
        discord(signature=good[:32] + scalar.to_bytes(32, "little")),
        "the number S is not reduced: RFC 8032 has it refused",
    )
    made.add(
        "discord/another_key",
        discord(signature=ed25519_key("a stranger")[0].sign(octets(NOW) + body)),
        "the signature is by another key",
    )
    made.add("discord/zeros", discord(signature=bytes(64)), "the signature is all zeros")
    made.add("discord/truncated", discord(signature=good[:-1]), "the signature lacks its last byte")
    made.add("discord/body_without_time", discord(signature=private.sign(body)), "the time is not signed")
    made.add(
        "discord/base64",
        discord(),
        "base64 where hex is due",
        headers=[JSON, ("x-signature-ed25519", base64_of(good)), discord()["headers"][2]],
    )
    made.add(
        "standard-webhooks-v1a/v1_only",
        standard_v1a(values=["v1," + standard_v1a()["headers"][-1][1][4:]]),
        "the right signature under the name of another version",
    )
    made.add(
        "standard-webhooks-v1a/mac_with_the_public_key",
        standard_v1a(
            values=[
                "v1a,"
                + base64_mac("sha256", ed25519_key("standard webhooks v1a")[1], STANDARD_ID, ".", NOW, ".", EVENT)
            ]
        ),
        "an HMAC whose key is the public key, which anyone knows",
    )

    private = ecdsa_key("sendgrid")
    der = ecdsa_signature(private, NOW, SENDGRID_EVENT)
    made.add(
        "sendgrid/raw",
        sendgrid(signature=es256(private)(octets(NOW) + SENDGRID_EVENT)),
        "the two numbers one after the other where DER is due",
    )
    made.add("sendgrid/text_after", sendgrid(signature=der + b"\0"), "a byte stands after the DER")
    made.add(
        "sendgrid/another_key",
        sendgrid(signature=ecdsa_signature(ecdsa_key("a stranger"), NOW, SENDGRID_EVENT)),
        "the signature is by another key",
    )
    made.add("sendgrid/zeros", sendgrid(signature=bytes.fromhex("3006020100020100")), "both numbers are zero")
    made.add(
        "sendgrid/without_line_end", sendgrid(), "the line end, which is signed, is gone", body=SENDGRID_EVENT[:-2]
    )


def wrong_constructions(made):
    """Signatures under the right secret, made as another provider would make them."""
    made.add(
        "stripe/decoded_secret",
        stripe_like(values=["v1=" + hex_mac("sha256", whsec(STRIPE_SECRET), NOW, ".", EVENT)]),
        "the key is what `whsec_` is before, and Stripe's key is all of it",
    )
    made.add(
        "stripe/body_alone",
        stripe_like(values=["v1=" + hex_mac("sha256", STRIPE_SECRET, EVENT)]),
        "the time is not signed",
    )
    made.add(
        "stripe/colon",
        stripe_like(values=["v1=" + paddle_signature(STRIPE_SECRET, NOW, EVENT)]),
        "a colon where a dot is due",
    )
    made.add(
        "standard-webhooks/undecoded_secret",
        standard(values=["v1," + base64_mac("sha256", STANDARD_SECRET, STANDARD_ID, ".", NOW, ".", EVENT)]),
        "the key is the secret's characters, where they are base64",
    )
    made.add(
        "standard-webhooks/without_id",
        standard(values=["v1," + base64_mac("sha256", whsec(STANDARD_SECRET), NOW, ".", EVENT)]),
        "the id is not signed",
    )
    made.add(
        "standard-webhooks/hex",
        standard(values=["v1," + hex_mac("sha256", whsec(STANDARD_SECRET), STANDARD_ID, ".", NOW, ".", EVENT)]),
        "hex where base64 is due",
    )
    lookalike = base64_of(derived("pagerduty"))
    made.add(
        "pagerduty/decoded_secret",
        body_only(
            "pagerduty",
            secret=lookalike,
            signature="v1=" + hex_mac("sha256", base64.b64decode(lookalike), BODIES["pagerduty"][0]),
        ),
        "the secret looks like base64, and is used as it is",
    )
    made.add(
        "zendesk/decoded_secret",
        zendesk(),
        "the secret looks like base64, and is used as it is",
        headers=[
            JSON,
            (
                "x-zendesk-webhook-signature",
                base64_mac("sha256", derived("zendesk"), "2023-11-14T22:13:20Z", zendesk()["body"]),
            ),
            ("x-zendesk-webhook-signature-timestamp", "2023-11-14T22:13:20Z"),
        ],
    )
    made.add(
        "adyen-platform/undecoded_key",
        adyen_platform(),
        "the key is hex, and was used as it is",
        headers=[JSON, ("hmacsignature", base64_mac("sha256", ADYEN_KEY, adyen_platform()["body"]))],
    )
    made.add(
        "braintree/plain_key",
        braintree([f"{BRAINTREE_PUBLIC}|{hex_mac('sha1', BRAINTREE_SECRET, BRAINTREE_PAYLOAD)}"]),
        "the key is the private key, and not its SHA-1",
    )
    made.add(
        "hubspot-v1/hmac",
        hubspot_v1(signature=hex_mac("sha256", HUBSPOT_SECRET, HUBSPOT_EVENT)),
        "an HMAC where a plain hash is due",
    )
    made.add(
        "hubspot-v2/hmac",
        hubspot_v2(signature=hex_mac("sha256", HUBSPOT_SECRET, "POST", HUBSPOT_URL, HUBSPOT_EVENT)),
        "an HMAC where a plain hash is due",
    )
    made.add(
        "hubspot-v2/version_1",
        hubspot_v2(signature=hubspot_v1_signature(HUBSPOT_SECRET, HUBSPOT_EVENT)),
        "a signature of version 1, which does not cover the URL",
    )
    made.add(
        "hubspot/version_2_only",
        hubspot() | {"headers": hubspot_v2()["headers"]},
        "a signature of version 2 where version 3 is configured",
    )
    made.add(
        "klaviyo/time_first",
        klaviyo(),
        "the time is signed before the body",
        headers=[
            *klaviyo()["headers"][:2],
            (
                "klaviyo-signature",
                hex_mac("sha256", text_secret("klaviyo"), klaviyo()["headers"][3][1], klaviyo()["body"]),
            ),
            klaviyo()["headers"][3],
        ],
    )
    made.add(
        "mailgun/body",
        mailgun(signature=hex_mac("sha256", text_secret("mailgun"), NOW, b"{}")),
        "the signature is not of the token",
    )


def bad_lists(made):
    """Headers with several signatures, of which none counts."""
    right = stripe_signature(STRIPE_SECRET, NOW, EVENT)
    made.add("stripe/v0_only", stripe_like(values=["v0=" + right]), "the only signature is of the test version, `v0`")
    made.add(
        "stripe/unknown_version_only",
        stripe_like(values=["v2=" + right]),
        "the only signature is of an unknown version",
    )
    made.add("stripe/upper_case_name", stripe_like(values=["V1=" + right]), "the name of the element is another one")
    made.add("stripe/time_only", stripe_like(values=["v1="]), "nothing stands after `v1=`")
    made.add(
        "stripe/semicolon",
        stripe_like(),
        "the elements are not separated as Stripe does it",
        headers=[JSON, ("stripe-signature", f"t={NOW};v1={right}")],
    )
    made.add(
        "stripe/twice",
        stripe_like(),
        "the header occurs twice",
        headers=[*stripe_like()["headers"], stripe_like()["headers"][1]],
    )
    made.add(
        "stripe/all_wrong",
        stripe_like(values=["v1=" + "0" * 64, "v1=" + stripe_signature(LIST_SECRET, NOW, EVENT)]),
        "neither signature is right",
    )
    made.add(
        "stripe/another_time",
        stripe_like(),
        "the signature of another time",
        headers=[JSON, ("stripe-signature", f"t={NOW + 1},v1={right}")],
    )
    signature = standard_signature(STANDARD_SECRET, STANDARD_ID, NOW, EVENT)
    made.add(
        "standard-webhooks/v2_only",
        standard(values=["v2" + signature[2:]]),
        "the only signature is of an unknown version",
    )
    made.add(
        "standard-webhooks/v1a_only",
        standard(values=["v1a" + signature[2:]]),
        "the only signature is of the version with public keys",
    )
    made.add("standard-webhooks/no_version", standard(values=[signature[3:]]), "the signature has no version")
    made.add("standard-webhooks/nothing", standard(values=["v1,"]), "nothing stands after the version")
    made.add(
        "standard-webhooks/no_id",
        standard(),
        "the id, which is signed, is missing",
        headers=[JSON, *standard()["headers"][2:]],
    )
    made.add(
        "standard-webhooks/two_ids",
        standard(),
        "the header of the id occurs twice",
        headers=[*standard()["headers"], ("webhook-id", "msg_another")],
    )
    made.add(
        "standard-webhooks/another_id",
        standard(),
        "the signature of another id",
        headers=[JSON, ("webhook-id", STANDARD_ID[:-1] + "X"), *standard()["headers"][2:]],
    )
    made.add(
        "pagerduty/v0_only",
        body_only("pagerduty", signature="v0=" + body_only("pagerduty")["headers"][1][1][3:]),
        "the only signature is of an unknown version",
    )
    made.add(
        "circleci/v2_only",
        body_only("circleci", signature="v2=" + body_only("circleci")["headers"][1][1][3:]),
        "the only signature is of an unknown version",
    )
    made.add(
        "paddle/h2_only",
        paddle(values=["h2=" + paddle_signature(PADDLE_SECRET, NOW, PADDLE_EVENT)]),
        "the only signature is of an unknown version",
    )
    made.add(
        "paddle/comma",
        paddle(),
        "the elements are not separated as Paddle does it",
        headers=[JSON, ("paddle-signature", paddle()["headers"][1][1].replace(";", ","))],
    )
    others = [
        (
            f"x-docusign-signature-{n}",
            base64_mac("sha256", text_secret(f"docusign, another {n}"), BODIES["docusign"][0]),
        )
        for n in (1, 2, 3)
    ]
    made.add("docusign/none_matches", body_only("docusign"), "none of three headers is right", headers=[JSON, *others])
    made.add("docusign/missing", body_only("docusign"), "no header is there", headers=[JSON])


def bad_urls(made):
    """Another URL, another method, another body than the one that the URL has the hash of."""
    body = twilio_json()["body"]
    made.add(
        "twilio/hash_of_another_body", twilio_json(body, hashed=body + b" "), "the hash in the URL is of another body"
    )
    no_hash = twilio(b"", "https://hooks.example.com/voice?foo=1")
    made.add(
        "twilio/json_without_hash",
        no_hash,
        "nothing that is signed says what the body is",
        body=body,
        headers=[JSON, no_hash["headers"][1]],
    )
    made.add(
        "twilio/no_content_type_without_hash",
        no_hash,
        "nothing that is signed says what the body is",
        body=body,
        headers=no_hash["headers"][1:],
    )
    empty = twilio(b"", "https://hooks.example.com/voice?foo=1&bodySHA256=")
    made.add("twilio/empty_hash", empty, "the hash in the URL is empty", body=body, headers=[JSON, empty["headers"][1]])
    made.add(
        "twilio/form_called_json",
        twilio(),
        "the parameters are signed, and the body is called JSON",
        headers=[JSON, twilio()["headers"][1]],
    )
    made.add("twilio/parameter_added", twilio(), "a parameter was added", body=TWILIO_FORM + b"&x=y")
    made.add("twilio/parameter_gone", twilio(), "a parameter is gone", body=TWILIO_FORM.replace(b"NumMedia=0&", b""))
    made.add(
        "twilio/empty_parameter_gone", twilio(), "a parameter is gone", body=TWILIO_FORM.replace(b"FromCity=&", b"")
    )
    made.add(
        "twilio/value_added_to_a_name", twilio(), "a name has another value besides", body=TWILIO_FORM + b"&NumMedia=1"
    )
    made.add(
        "twilio/another_host",
        twilio(signed="https://evil.example.com/sms?foo=1&bar=a%20b"),
        "the signature of another URL",
    )
    made.add(
        "twilio/another_scheme",
        twilio(signed="http://hooks.example.com/sms?foo=1&bar=a%20b"),
        "the signature of another URL",
    )
    made.add(
        "twilio/another_port",
        twilio(signed="https://hooks.example.com:8443/sms?foo=1&bar=a%20b"),
        "the signature of the URL with a port that is not the default one",
    )
    made.add("twilio/another_query", twilio(fields={}), "the signature of another query", target=TWILIO_URL + "&more=1")
    made.add(
        "twilio/without_the_url",
        twilio(),
        "the URL is not signed",
        headers=[FORM, ("x-twilio-signature", twilio_signature(text_secret("twilio")[:32], "", TWILIO_FORM))],
    )
    secret = text_secret("twilio")[:32]
    doubled = b"Digits=1&Digits=1"
    made.add(
        "twilio/duplicates_signed_twice",
        twilio(doubled),
        "a value that occurs twice was signed twice",
        headers=[FORM, ("x-twilio-signature", base64_mac("sha1", secret, TWILIO_URL, "Digits1Digits1"))],
    )
    made.add(
        "twilio/sha256",
        twilio(),
        "a SHA-256 signature where SHA-1 is due",
        headers=[FORM, ("x-twilio-signature", base64_mac("sha256", secret, TWILIO_URL, "From+14158675309"))],
    )
    made.add(
        "square/another_url",
        square(),
        "the signature of another URL",
        fields={"url": "https://hooks.example.com/square?tenant=2"},
    )
    made.add(
        "square/body_alone",
        square(),
        "the URL is not signed",
        headers=[JSON, ("x-square-hmacsha256-signature", base64_mac("sha256", text_secret("square"), SQUARE_EVENT))],
    )
    made.add(
        "hubspot/another_method",
        hubspot(),
        "the signature of another method",
        method="PUT",
        fields={"url": HUBSPOT_URL, "methods": ["POST", "PUT"]},
    )
    made.add(
        "hubspot-v2/another_method",
        hubspot_v2(),
        "the signature of another method",
        method="PUT",
        fields={"url": HUBSPOT_URL, "methods": ["POST", "PUT"]},
    )
    made.add(
        "hubspot/another_path",
        hubspot(fields={}),
        "the signature of another path",
        target="https://hooks.example.com/hubspot2?portal=62515",
    )
    made.add(
        "hubspot/all_escapes_decoded",
        hubspot(url=HUBSPOT_ESCAPES),
        "all escapes were decoded before signing, where only some are",
        headers=[
            JSON,
            ("x-hubspot-request-timestamp", str(NOW * 1000)),
            (
                "x-hubspot-signature-v3",
                base64_mac(
                    "sha256", HUBSPOT_SECRET, "POST", urllib.parse.unquote(HUBSPOT_ESCAPES), HUBSPOT_EVENT, NOW * 1000
                ),
            ),
        ],
    )


def bad_documents(made):
    """Bodies whose own signatures are wrong, missing or doubtful."""
    good, bad = adyen_signed(ADYEN_ITEM), adyen_signed(ADYEN_REFUND) | {"eventCode": "CAPTURE"}
    unsigned = {**ADYEN_REFUND, "additionalData": {}}
    made.add("adyen/second_item_wrong", adyen(good, bad), "one item is right, the other is not")
    made.add("adyen/first_item_wrong", adyen(bad, good), "one item is right, the other is not")
    made.add("adyen/second_item_unsigned", adyen(good, unsigned), "one item is right, the other has no signature")
    made.add("adyen/second_item_empty", adyen(good, {}), "one item is right, the other is empty")
    made.add(
        "adyen/signature_of_the_other",
        adyen(good, {**ADYEN_REFUND, "additionalData": good["additionalData"]}),
        "the second item has the signature of the first",
    )
    made.add("adyen/no_items", adyen(), "there is no item, so nothing is signed")
    for name, items in {
        "null": b"null",
        "object": b'{"NotificationRequestItem":{}}',
        "text": b'"none"',
        "number_in_the_list": b"[1]",
    }.items():
        made.add(
            f"adyen/items_{name}",
            adyen(body=b'{"live":"false","notificationItems":' + items + b"}"),
            "what should be a list of items is none",
        )
    made.add("adyen/no_list", adyen(body=b'{"live":"false"}'), "there is no list of items")
    made.add(
        "adyen/list_twice",
        adyen(
            body=b'{"notificationItems":[%s],"notificationItems":[%s]}'
            % tuple(compact({"NotificationRequestItem": item}) for item in (good, bad))
        ),
        "the list occurs twice, and the second one is not signed",
    )
    once = compact({"notificationItems": [{"NotificationRequestItem": good}]})
    made.add(
        "adyen/field_twice",
        adyen(body=once.replace(b'"eventCode":', b'"eventCode":"AUTHORISATION","eventCode":')),
        "a field that is signed occurs twice",
    )
    made.add(
        "adyen/field_twice_the_other_way",
        adyen(body=once.replace(b'"success":"true"', b'"success":"true","success":"false"')),
        "a field that is signed occurs twice, with two values",
    )
    made.add("adyen/no_json", adyen(body=b"notificationItems=1"), "the body is no JSON")
    made.add(
        "adyen/another_amount",
        adyen({**good, "amount": {"value": 1131, "currency": "EUR"}}),
        "the amount is another one",
    )
    made.add(
        "adyen/colon_moved",
        adyen({**good, "merchantAccountCode": "TestMerchan", "merchantReference": "torder-1"}),
        "a character went from one field to the next",
    )
    made.add(
        "adyen/undecoded_key",
        adyen(
            {
                **ADYEN_ITEM,
                "additionalData": {
                    "hmacSignature": base64_mac(
                        "sha256", ADYEN_KEY, "8515131751004933::TestMerchant:order-1:1130:EUR:AUTHORISATION:true"
                    )
                },
            }
        ),
        "the key is hex, and was used as it is",
    )

    made.add(
        "mailgun/another_token",
        mailgun(signature=mailgun_signature(text_secret("mailgun"), NOW, MAILGUN_TOKEN[:-1] + "1")),
        "the signature of another token",
    )
    made.add("mailgun/no_object", mailgun(), "the body has no signature", body=b'{"event-data":{}}')
    made.add(
        "mailgun/no_token",
        mailgun(signature=mailgun_signature(text_secret("mailgun"), NOW, "")),
        "the token is not signed",
    )
    twice = mailgun()["body"].replace(b'{"signature":{', b'{"signature":{"token":"%s",' % octets(MAILGUN_TOKEN))
    made.add("mailgun/token_twice", mailgun(), "the token occurs twice", body=twice)
    made.add("mailgun/no_json", mailgun(), "the body is no JSON", body=b"signature=1")

    right = braintree_signature(BRAINTREE_SECRET, BRAINTREE_PAYLOAD)
    made.add(
        "braintree/another_public_key", braintree(["another_public_key|" + right]), "the pair is not of our public key"
    )
    made.add("braintree/no_public_key", braintree([right]), "the signature stands beside no public key")
    made.add(
        "braintree/other_pair_right",
        braintree(["another_public_key|" + right, BRAINTREE_PUBLIC + "|" + "0" * 40]),
        "the right signature is beside another public key, ours is wrong",
    )
    made.add(
        "braintree/another_payload",
        braintree([f"{BRAINTREE_PUBLIC}|{right}"], base64.encodebytes(BRAINTREE_XML + b" ").decode()),
        "the signature of another payload",
    )
    made.add(
        "braintree/no_payload",
        braintree(),
        "the payload is missing",
        body=urllib.parse.urlencode({"bt_signature": f"{BRAINTREE_PUBLIC}|{right}"}).encode(),
    )
    made.add(
        "braintree/no_signature",
        braintree(),
        "the signature is missing",
        body=urllib.parse.urlencode({"bt_payload": BRAINTREE_PAYLOAD}).encode(),
    )
    made.add(
        "braintree/payload_twice",
        braintree(more=[("bt_payload", "PHg+PC94Pg==")]),
        "the payload occurs twice, and the second one is not signed",
    )
    made.add("braintree/json", braintree(), "the body is no form", headers=[JSON])


def bad_tokens(made):
    """JWTs that are not Plaid's, or not of this body."""
    claims = {"iat": NOW, "request_body_sha256": hashlib.sha256(PLAID_EVENT).hexdigest()}
    public = PLAID_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    hs256 = {"alg": "HS256", "kid": PLAID_KID, "typ": "JWT"}
    right = plaid()["headers"][1][1]
    made.add(
        "plaid/alg_none",
        plaid(header={"alg": "none", "kid": PLAID_KID, "typ": "JWT"}, sign=lambda _: b""),
        "the JWT is not signed at all",
    )
    made.add(
        "plaid/alg_none_with_signature",
        plaid(header={"alg": "none", "kid": PLAID_KID, "typ": "JWT"}),
        "the JWT says that it is not signed",
    )
    made.add(
        "plaid/hs256",
        plaid(header=hs256, sign=lambda content: mac("sha256", public, content)),
        "an HMAC whose key is the public key, which anyone knows",
    )
    made.add(
        "plaid/hs256_with_x",
        plaid(header=hs256, sign=lambda content: mac("sha256", jwk(PLAID_KEY, "")["x"], content)),
        "an HMAC whose key is a part of the public key",
    )
    made.add(
        "plaid/es384", plaid(header={"alg": "ES384", "kid": PLAID_KID, "typ": "JWT"}), "the JWT names another algorithm"
    )
    made.add("plaid/no_alg", plaid(header={"kid": PLAID_KID, "typ": "JWT"}), "the JWT names no algorithm")
    made.add("plaid/another_key", plaid(sign=es256(ecdsa_key("a stranger"))), "the JWT is by another key")
    made.add(
        "plaid/key_of_another_kid",
        plaid(sign=es256(ecdsa_key("plaid, another"))),
        "the JWT is by a key of the set that has another `kid`",
    )
    made.add(
        "plaid/unknown_kid",
        plaid(header={"alg": "ES256", "kid": "no such key", "typ": "JWT"}, sign=es256(ecdsa_key("a stranger"))),
        "the JWT names a key that is not in the set, and is by it",
    )
    made.add(
        "plaid/der",
        plaid(sign=lambda content: ecdsa_signature(PLAID_KEY, content)),
        "the signature is DER, where both numbers one after the other are due",
    )
    made.add("plaid/zeros", plaid(sign=lambda _: bytes(64)), "the signature is all zeros")
    made.add("plaid/another_body", plaid(hashed=PLAID_EVENT + b"\n"), "the claim is of another body")
    made.add(
        "plaid/reserialised_body",
        plaid(hashed=compact(json.loads(PLAID_EVENT))),
        "the claim is of the same JSON, written otherwise",
    )
    made.add("plaid/no_hash", plaid(claims={"iat": NOW}), "the JWT says nothing of the body")
    made.add("plaid/empty_hash", plaid(claims=claims | {"request_body_sha256": ""}), "the JWT says nothing of the body")
    made.add(
        "plaid/base64_hash",
        plaid(claims=claims | {"request_body_sha256": base64_of(hashlib.sha256(PLAID_EVENT).digest())}),
        "base64 where hex is due",
    )
    made.add(
        "plaid/no_iat",
        plaid(claims={"request_body_sha256": claims["request_body_sha256"]}),
        "the JWT does not say when it was made",
    )
    made.add("plaid/iat_null", plaid(claims=claims | {"iat": None}), "the JWT does not say when it was made")
    made.add("plaid/iat_object", plaid(claims=claims | {"iat": {}}), "the JWT does not say when it was made")
    made.add("plaid/two_parts", plaid(token=right.rpartition(".")[0]), "the JWT has no signature")
    made.add("plaid/four_parts", plaid(token=right + "."), "the JWT has a part too many")
    made.add(
        "plaid/claims_of_another",
        plaid(
            token=".".join(
                [right.split(".")[0], base64url(json.dumps(claims | {"iat": NOW + 1}).encode()), right.split(".")[2]]
            )
        ),
        "the claims are not the ones that are signed",
    )
    made.add("plaid/missing", plaid(), "the header is missing", headers=[JSON])
    made.add("plaid/empty", plaid(token=""), "the header is empty")
    made.add("plaid/twice", plaid(), "the header occurs twice", headers=[*plaid()["headers"], plaid()["headers"][1]])


def bad_secrets(made):
    """Secrets that are sent along, and are not the ones that are due."""
    token = text_secret("gitlab-token")
    for name, sent, why in [
        ("wrong", LIST_SECRET, "another secret"),
        ("truncated", token[:-1], "the secret lacks its last character"),
        ("longer", token + "0", "the secret has a character too many"),
        ("empty", "", "the secret is empty"),
        ("upper_case", token.upper(), "the secret in capitals"),
        ("hash", hashlib.sha256(token.encode()).hexdigest(), "the secret's hash"),
    ]:
        made.add(f"gitlab-token/{name}", gitlab_token(sent), why)
        made.add(f"telegram/{name}", telegram(text_secret("telegram")[:-1] if name == "truncated" else sent), why)
    made.add("gitlab-token/missing", gitlab_token(), "the header is missing", headers=[JSON])
    made.add(
        "gitlab-token/twice",
        gitlab_token(),
        "the header occurs twice",
        headers=[*gitlab_token()["headers"], gitlab_token()["headers"][2]],
    )
    made.add(
        "gitlab/token_instead",
        standard("gitlab"),
        "only the plain token is there, where a signature is configured",
        headers=[JSON, ("x-gitlab-token", STANDARD_SECRETS["gitlab"])],
    )
    code = text_secret("figma")
    made.add("figma/wrong", figma(LIST_SECRET), "another passcode")
    made.add("figma/missing", figma(body=b'{"event_type":"PING"}'), "the passcode is missing")
    made.add("figma/null", figma(body=b'{"passcode":null}'), "the passcode is null")
    made.add("figma/empty", figma(""), "the passcode is empty")
    made.add("figma/list", figma(body=compact({"passcode": [code]})), "the passcode is in a list")
    made.add("figma/deeper", figma(body=compact({"data": {"passcode": code}})), "the passcode is at another place")
    made.add("figma/twice", figma(body=b'{"passcode":"%s","passcode":"x"}' % octets(code)), "the passcode occurs twice")
    made.add("figma/no_json", figma(body=b"passcode=" + octets(code)), "the body is no JSON")
    for provider, delivery, name in (("event-grid", event_grid, "code"), ("cloudevents", cloudevents, "access_token")):
        secret = text_secret(provider)
        made.add(f"{provider}/wrong", delivery(query=f"{name}={LIST_SECRET}"), "another secret")
        made.add(f"{provider}/missing", delivery(query="x=1"), "the secret is missing")
        made.add(f"{provider}/empty", delivery(query=f"{name}="), "the secret is empty")
        made.add(f"{provider}/another_name", delivery(query=f"x{name}={secret}"), "the secret is under another name")
        made.add(f"{provider}/twice", delivery(query=f"{name}={secret}&{name}=x"), "the secret occurs twice")


def bad_handshakes(made):
    """Handshakes that nobody is to be answered."""
    wrong = "v0=" + "0" * 64
    made.add("slack/url_verification_unsigned", slack(SLACK_CHALLENGE), "the challenge is not signed", headers=[JSON])
    made.add(
        "slack/url_verification_wrong", slack(SLACK_CHALLENGE, signature=wrong), "the challenge is not signed by Slack"
    )
    made.add("slack/url_verification_too_old", slack(SLACK_CHALLENGE), "the challenge is too old", now=NOW + 301)
    made.add(
        "slack/ssl_check_json",
        slack(b'{"ssl_check":1}', signature=wrong),
        "the check is a form, and this is JSON, not signed",
    )
    made.add(
        "zoom/url_validation_unsigned",
        zoom(ZOOM_CHALLENGE),
        "the challenge is not signed: an answer would sign what anyone likes",
        headers=[JSON],
    )
    made.add(
        "zoom/url_validation_too_old",
        zoom(ZOOM_CHALLENGE),
        "the challenge is too old",
        now=NOW + 301,
        fields={"tolerance": "5m"},
    )
    made.add("zoom/another_body", zoom(), "the signature of another body", body=ZOOM_CHALLENGE)
    for provider in ("meta", "whatsapp"):
        base = "hub.mode=subscribe&hub.challenge=1158201444"
        made.add(
            f"{provider}/verification_wrong_token",
            get(provider, f"{base}&hub.verify_token={LIST_SECRET}", fields=META_FIELDS),
            "the token is another one",
        )
        made.add(
            f"{provider}/verification_truncated_token",
            get(provider, f"{base}&hub.verify_token={META_TOKEN[:-1]}", fields=META_FIELDS),
            "the token lacks its last character",
        )
        made.add(f"{provider}/verification_no_token", get(provider, base, fields=META_FIELDS), "the token is missing")
        made.add(
            f"{provider}/verification_empty_token",
            get(provider, base + "&hub.verify_token=", fields=META_FIELDS),
            "the token is empty",
        )
        made.add(
            f"{provider}/verification_none_configured",
            get(provider, base + "&hub.verify_token="),
            "no token is configured, so there is no handshake",
        )
        made.add(
            f"{provider}/verification_no_challenge",
            get(provider, f"hub.mode=subscribe&hub.verify_token={META_TOKEN}", fields=META_FIELDS),
            "there is nothing to send back",
        )
        made.add(
            f"{provider}/verification_line_end",
            get(
                provider, f"hub.mode=subscribe&hub.verify_token={META_TOKEN}&hub.challenge=1%0D%0Ax", fields=META_FIELDS
            ),
            "the challenge has a line end",
        )
        made.add(f"{provider}/get", get(provider, "x=1", fields=META_FIELDS), "a GET that is no handshake")
    made.add("dropbox/verification_empty", get("dropbox", "challenge="), "there is nothing to send back")
    made.add("dropbox/verification_missing", get("dropbox", "x=1"), "there is nothing to send back")
    made.add("dropbox/verification_line_end", get("dropbox", "challenge=a%0Ab"), "the challenge has a line end")
    made.add(
        "dropbox/verification_too_long",
        get("dropbox", "challenge=" + "a" * 1025),
        "the challenge is longer than 1024 characters",
    )
    made.add(
        "dropbox/challenge_by_post",
        body_only("dropbox", signature=""),
        "a challenge is a GET, and this POST is not signed",
        target=TARGET + "?challenge=abc",
    )
    made.add("asana/events_unsigned", body_only("asana"), "events without a signature", headers=[JSON])
    made.add(
        "asana/empty_hook_secret",
        body_only("asana", b"{}"),
        "there is nothing to send back, and the body is not signed",
        headers=[JSON, ("x-hook-secret", "")],
    )
    for name, challenge in {
        "too_short": "20f9f8ed05f77439fe9",
        "too_long": BRAINTREE_CHALLENGE + "0",
        "no_hex": "g" * 20,
        "empty": "",
    }.items():
        made.add(
            f"braintree/challenge_{name}",
            get("braintree", "bt_challenge=" + challenge, [BRAINTREE_SECRET], {"key_id": BRAINTREE_PUBLIC}),
            "the challenge is not 20 to 32 hex digits: an answer would sign what anyone likes",
        )
    ping = b'{"id":"1","type":1,"version":1}'
    made.add(
        "discord/ping_wrong",
        discord(body=ping, signature=ed25519_key("a stranger")[0].sign(octets(NOW) + ping)),
        "Discord probes with wrong signatures, and they have to be refused",
    )
    made.add("discord/ping_unsigned", discord(body=ping), "the ping is not signed", headers=[JSON])
    made.add(
        "discord-events/ping_wrong",
        discord("discord-events", b'{"version":1,"type":0}', signature=bytes(64)),
        "Discord probes with wrong signatures, and they have to be refused",
    )
    made.add(
        "twitch/verification_unsigned",
        twitch(TWITCH_CHALLENGE, kind="webhook_callback_verification"),
        "the challenge is not signed",
        headers=[
            JSON,
            ("twitch-eventsub-message-id", TWITCH_ID),
            ("twitch-eventsub-message-timestamp", "2023-11-14T22:13:20Z"),
            ("twitch-eventsub-message-type", "webhook_callback_verification"),
        ],
    )
    made.add(
        "twitch/verification_another_body",
        twitch(kind="webhook_callback_verification"),
        "the signature of another body",
        body=TWITCH_CHALLENGE,
    )
    made.add(
        "cloudevents/options_without_origin",
        cloudevents(),
        "nobody asks for permission",
        method="OPTIONS",
        body=b"",
        headers=[],
    )


# --- Published vectors ------------------------------------------------------------------------------------------------

PUBLISHED_PROVIDERS = {
    "Adyen (banking/platform)": "adyen-platform",
    "Adyen (payments)": "adyen",
    "Bitbucket Cloud / Jira Cloud": "bitbucket",
    "Bitbucket Server/DC": "bitbucket",
    "Braintree": "braintree",
    "CircleCI": "circleci",
    "Coinbase Commerce": "coinbase-commerce",
    "GitHub": "github",
    "Gitea": "gitea",
    "HubSpot": "hubspot",
    "LINE": "line",
    "Mux": "mux",
    "Paddle": "paddle",
    "PagerDuty": "pagerduty",
    "Razorpay": "razorpay",
    "SendGrid": "sendgrid",
    "Shopify": "shopify",
    "Slack": "slack",
    "Square": "square",
    "Standard Webhooks": "standard-webhooks",
    "Stripe": "stripe",
    "Svix": "svix",
    "Twilio": "twilio",
}
# Published vectors that are of another preset than their provider's first.
PUBLISHED_PRESETS = {
    "hubspot/v1": "hubspot-v1",
    "hubspot/v2": "hubspot-v2",
    "hubspot/v2_get": "hubspot-v2",
    "standard-webhooks/v1a_ed25519": "standard-webhooks-v1a",
}
PUBLISHED_COVERS = {
    "stripe": ["body", "timestamp", "secret"],
    "mux": ["body", "timestamp", "secret"],
    "slack": ["body", "timestamp", "secret"],
    "paddle": ["body", "timestamp", "secret"],
    "standard-webhooks": ["body", "timestamp", "id", "secret"],
    "svix": ["body", "timestamp", "id", "secret"],
    "standard-webhooks-v1a": ["body", "timestamp", "id"],
    "sendgrid": ["body", "timestamp"],
    "twilio": ["body", "url", "secret"],
    "square": ["body", "url", "secret"],
    "hubspot": ["body", "timestamp", "url", "method", "secret"],
    "hubspot-v2": ["body", "url", "method", "secret"],
    "adyen": ["secret"],
    "braintree": [],
}
SCHEME_SHA256 = {"algorithm": "hmac-sha256", "signature": {"header": "x-signature"}}
SCHEME_SHA512 = {"algorithm": "hmac-sha512", "signature": {"header": "x-convoy-signature"}}


def converted(collection):
    """Gives the confirmed vectors of a collection in the form of this folder, some in a second variant."""
    made = []
    for known in collection["vectors"]:
        if not known["confirmed"]:
            continue
        one = converted_one(known)
        made.append(one)
        if one.get("provider") in ("twilio", "hubspot", "hubspot-v2"):
            fields = {name: value for name, value in one["fields"].items() if name != "url"}
            covers = PUBLISHED_COVERS.get(one["provider"]) if one["method"] == "POST" else one["covers"]
            made.append(one | {"name": one["name"] + "_of_the_request", "fields": fields, "covers": covers})
        if known["id"] == "standard-webhooks/mixed_v1_v1a":
            v1a = next(
                other["secret"] for other in collection["vectors"] if other["id"] == "standard-webhooks/v1a_ed25519"
            )
            made.append(
                one
                | {
                    "name": one["name"] + "_by_the_public_key",
                    "provider": "standard-webhooks-v1a",
                    "secrets": [],
                    "fields": {"public_keys": [v1a]},
                    "covers": PUBLISHED_COVERS["standard-webhooks-v1a"],
                }
            )
    return made


def converted_one(known):
    """Gives one published vector in the form of this folder."""
    name = known["id"]
    provider = PUBLISHED_PRESETS.get(name) or PUBLISHED_PROVIDERS.get(known["provider"])
    body = base64.b64decode(known["body_b64"]) if "body_b64" in known else known["body"].encode()
    headers = [(header.lower(), value) for header, value in known["headers"].items()]
    covers = list(PUBLISHED_COVERS.get(provider, ["body", "secret"]))
    parts = {
        "provider": provider,
        "secrets": [known["secret"]],
        "method": known["method"],
        "headers": headers,
        "body": body,
        "now": known.get("verify_at_unix", NOW),
        "source": known["source"],
        "fields": {},
        "target": known.get("url", TARGET),
    }
    if "url" in known and provider != "braintree":
        parts["fields"] |= {"url": known["url"]}
    if known["method"] == "GET" and provider != "braintree":
        parts["fields"] |= {"methods": ["GET"]}
    if provider in ("sendgrid", "standard-webhooks-v1a"):
        parts |= {"secrets": [], "fields": {"public_keys": [known["secret"]]}}
    if provider is None:
        parts["scheme"] = SCHEME_SHA512
    if name.startswith("stripe/raw_hmac"):
        parts |= {"scheme": SCHEME_SHA256, "headers": [("x-signature", known["expected_signature"])]}
        covers = ["body", "secret"]
    if provider == "braintree":
        answer = known["handshake"]["response_body"]
        parts |= {"fields": {"key_id": answer.partition("|")[0]}, "expect": answered(200, answer)}
    if provider == "adyen":
        items = [item["NotificationRequestItem"] for item in json.loads(body)["notificationItems"]]
        parts["covers_json"] = adyen_covered(items)
    if name == "twilio/https_custom_port_removed":
        # The port of the URL is not signed, so its bits do not matter.
        covers.remove("url")
    if not body and "body" in covers:
        covers.remove("body")
    parts["id"] = dict(headers).get("webhook-id") or dict(headers).get("svix-id")
    return vector(name, **parts, covers=covers)


def confirm(vector):
    """Recomputes what a published vector carries, with the constructions above; raises if nothing of it comes out."""
    provider, body, secret = vector.get("provider"), body_of(vector), (vector["secrets"] or [None])[0]
    headers = dict(map(tuple, vector["headers"]))
    target = vector["scheme_authority_path"]
    url = f"{target['scheme']}://{target['authority']}{target['path']}"
    if vector["fields"].get("url", url) != url:
        raise ValueError("its URL is not the one of its request")
    sent, expected = signatures(vector, headers, provider, body, secret, url)
    if not sent or not set(sent) & set(expected):
        raise ValueError(f"it carries {sent}, and the construction gives {expected}")


def signatures(vector, headers, provider, body, secret, url):
    """Gives the signatures that a vector carries, and those of its provider's construction: one has to be in both."""
    if "scheme" in vector:
        algorithm = vector["scheme"]["algorithm"].removeprefix("hmac-")
        return [headers[vector["scheme"]["signature"]["header"]]], [hex_mac(algorithm, secret, body)]
    if provider in STRIPE_LIKE:
        elements = headers[STRIPE_LIKE[provider][0]].split(",")
        at = next(element[2:] for element in elements if element.startswith("t="))
        return elements, ["v1=" + stripe_signature(secret, at, body)]
    if provider in BODY_ONLY:
        header, algorithm, write, prefix = BODY_ONLY[provider]
        return headers[header].split(","), [prefix + write(algorithm, secret, body)]
    if provider == "slack":
        return [headers["x-slack-signature"]], [slack_signature(secret, headers["x-slack-request-timestamp"], body)]
    if provider in ("standard-webhooks", "svix", "standard-webhooks-v1a"):
        names = "svix" if provider == "svix" else "webhook"
        id, at, sent = (headers[f"{names}-{part}"] for part in ("id", "timestamp", "signature"))
        if provider != "standard-webhooks-v1a":
            return sent.split(" "), [standard_signature(secret, id, at, body)]
        key = base64.b64decode(vector["fields"]["public_keys"][0].removeprefix("whpk_"))
        key = ed25519.Ed25519PublicKey.from_public_bytes(key)
        content = octets(f"{id}.{at}.") + body
        return sent.split(" "), [
            one for one in sent.split(" ") if one.startswith("v1a,") and verifies(key, one[4:], content)
        ]
    if provider == "sendgrid":
        key = serialization.load_der_public_key(base64.b64decode(vector["fields"]["public_keys"][0]))
        sent = headers["x-twilio-email-event-webhook-signature"]
        content = octets(headers["x-twilio-email-event-webhook-timestamp"]) + body
        return [sent], [sent] if verifies(key, sent, content, ec.ECDSA(hashes.SHA256())) else []
    if provider == "paddle":
        elements = headers["paddle-signature"].split(";")
        return elements, ["h1=" + paddle_signature(secret, elements[0].removeprefix("ts="), body)]
    if provider == "square":
        return [headers["x-square-hmacsha256-signature"]], [square_signature(secret, url, body)]
    if provider == "twilio":
        form = body if headers["content-type"] == FORM[1] else b""
        if not form and f"bodySHA256={hashlib.sha256(body).hexdigest()}" not in url:
            raise ValueError("its URL does not have the hash of its body")
        return [headers["x-twilio-signature"]], [twilio_signature(secret, one, form) for one in with_ports(url)]
    if provider == "hubspot-v1":
        return [headers["x-hubspot-signature"]], [hubspot_v1_signature(secret, body)]
    if provider == "hubspot-v2":
        return [headers["x-hubspot-signature"]], [hubspot_v2_signature(secret, vector["method"], url, body)]
    if provider == "hubspot":
        at = headers["x-hubspot-request-timestamp"]
        return [headers["x-hubspot-signature-v3"]], [hubspot_v3_signature(secret, vector["method"], url, body, at)]
    if provider == "adyen":
        [item] = [item["NotificationRequestItem"] for item in json.loads(body)["notificationItems"]]
        return [item["additionalData"]["hmacSignature"]], [adyen_signature(secret, item)]
    if provider == "adyen-platform":
        return [headers["hmacsignature"]], [adyen_platform_signature(secret, body)]
    if provider == "braintree":
        challenge = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["bt_challenge"][0]
        answer = f"{vector['fields']['key_id']}|{braintree_signature(secret, challenge)}"
        return [vector["expect"]["handshake"]["body"]], [answer]
    raise ValueError("its provider is not known here")


def with_ports(url):
    """Gives the URLs that Twilio may have signed: as it is, without a port, and with the default port."""
    parts = urllib.parse.urlsplit(url)
    port = 443 if parts.scheme == "https" else 80
    return [url] + [
        parts._replace(netloc=authority).geturl() for authority in (parts.hostname, f"{parts.hostname}:{port}")
    ]


def verifies(key, signature, content, *how):
    """Tells whether a signature in base64 is by a public key over the content."""
    try:
        key.verify(base64.b64decode(signature), content, *how)
        return True
    except InvalidSignature:
        return False


# --- The files --------------------------------------------------------------------------------------------------------


def document(about, **lists):
    """Gives the text of a file of vectors, after a look at their names."""
    names = [one["name"] for vectors in lists.values() for one in vectors]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"a name is there twice: {', '.join(doubled)}")
    members = [f' "about": {json.dumps(about + FORMAT)}']
    for part, vectors in lists.items():
        members.append(f' "{part}": [\n' + ",\n".join(written(one) for one in vectors) + "\n ]")
    return "{\n" + ",\n".join(members) + "\n}\n"


def written(vector):
    """Gives a vector as JSON, with each of its members on a line."""
    lines = (f"   {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in vector.items())
    return "  {\n" + ",\n".join(lines) + "\n  }"


def constructed_text():
    """Gives the text of `constructed.json`."""
    about = "Webhook deliveries made by construct.py; `refused` are those with one thing wrong. "
    return document(about, vectors=constructed(), refused=refused())


def published_text(path):
    """Gives the text of `published.json`, made from a collection of published vectors."""
    vectors = converted(json.loads(pathlib.Path(path).read_text()))
    for one in vectors:
        confirm_or_say(one)
    about = "Published known answers, converted and recomputed by construct.py. "
    return document(about, vectors=vectors)


def confirm_or_say(vector):
    """Confirms a published vector, and names it if that fails."""
    try:
        confirm(vector)
    except (ValueError, KeyError, StopIteration) as problem:
        sys.exit(f"The published vector {vector['name']} is not confirmed: {problem}.")


def differing(name, text):
    """Gives a sentence on how a file differs from its text, or nothing."""
    path = HERE / name
    if not path.exists():
        return f"{name} is missing."
    found, due = json.loads(path.read_text()), json.loads(text)
    for part in due:
        if part == "about" or found.get(part) == due[part]:
            continue
        known = {one["name"]: one for one in found.get(part, [])}
        for one in due[part]:
            if known.pop(one["name"], None) != one:
                return f"{name} is not what is computed: {part} differ at {one['name']}."
        return f"{name} is not what is computed: {part} also have {', '.join(known) or 'another order'}."
    return None if path.read_text() == text else f"{name} has the right vectors, and is written otherwise."


def main(arguments):
    """Writes the files, or checks them."""
    check = "--check" in arguments
    paths = [argument for argument in arguments if argument != "--check"]
    if len(paths) > 1 or any(path.startswith("-") for path in paths):
        sys.exit(__doc__)
    texts = {"constructed.json": constructed_text()}
    if paths:
        texts["published.json"] = published_text(paths[0])
    if not check:
        for name, text in texts.items():
            (HERE / name).write_text(text)
        return
    for name, text in texts.items():
        if sentence := differing(name, text):
            sys.exit(sentence)
    published = HERE / "published.json"
    if not published.exists():
        sys.exit("published.json is missing.")
    for one in json.loads(published.read_text())["vectors"]:
        confirm_or_say(one)


if __name__ == "__main__":
    main(sys.argv[1:])
