"""Computes buckets with `hashlib` alone: the filter is held against facts, not itself, and buckets stay for ever.

Nothing here knows the filter. Whoever wants to know a user's bucket elsewhere needs the one line of `bucket`.

    python3 construct.py          writes `buckets.json`
    python3 construct.py --check  recomputes it, and fails with a sentence on a difference
"""

import hashlib
import json
import pathlib
import sys

FILE = pathlib.Path(__file__).with_name("buckets.json")

SALTS = ["checkout", "2026-q4", "a", "A-z_0-9", "s" * 64]

# Users as they come, and bytes that no text is made of.
KEYS = [b"alice", b"bob", b"", b"1", b"203.0.113.7", b"2001:db8:1:2::/64", "Grüße".encode(), b"a.b", b".", b"\x00"]
KEYS += [bytes(range(256)), b"k" * 55, b"k" * 56, b"k" * 64, b"k" * 1000]
KEYS += [b"user-%d" % number for number in range(20)]


def bucket(salt: bytes, key: bytes) -> int:
    return int(hashlib.sha256(salt + b"." + key).hexdigest()[:8], 16) % 10000


def vectors() -> str:
    table = [{"salt": salt, "key": key.hex(), "bucket": bucket(salt.encode(), key)} for salt in SALTS for key in KEYS]
    lines = ",\n".join("  " + json.dumps(vector) for vector in table)
    return f"[\n{lines}\n]\n"


def main() -> None:
    if sys.argv[1:] == ["--check"]:
        if FILE.read_text() != vectors():
            sys.exit("buckets.json is not what hashlib computes")
    else:
        FILE.write_text(vectors())


if __name__ == "__main__":
    main()
