"""A demo upstream: answers every request with what reached it, as JSON, and with the status that it asks for.

`/status/503` asks for a 503, and so does `/any/path?status=503`. `/any/path?fail=2` fails the first two times that a
request comes, with a 503 or with what `status` says: tries of one request have the same `x-request-id`.
`/.well-known/jwks.json` is the keys of the issuer that the demo's tokens are from: they stand in `envoy/jwks.json`.

One that is told which version it is says so in each answer. A POST to `/_demo/break?rate=50%` on its own port breaks it:
so many of its answers are a 503 from then on, or what `status` says. A POST to `/_demo/mend` mends it.

Called as `python3 envoy/upstream.py [ADDRESS:PORT [VERSION]]`; needs nothing but the standard library.
"""

import collections
import http.server
import json
import pathlib
import random
import re
import sys
import threading
import urllib.parse

# The public halves of the keys that `make token` signs with.
KEYS = pathlib.Path(__file__).with_name("jwks.json")

# How often the last requests that are to fail have come, by their ids.
CAME = collections.OrderedDict()
CAME_LOCK = threading.Lock()
MOST_CAME = 1000

# Which version this is, if it was told, and how it is broken: the share of answers, and their status.
VERSION = sys.argv[2] if 2 < len(sys.argv) else None
BROKEN = {"rate": 0.0, "status": 503}


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers one connection."""

    # Connections stay open, as Envoy expects of an upstream.
    protocol_version = "HTTP/1.1"

    def answer(self):
        """Answers one request, whatever its method."""
        body = self.body()
        if self.path.startswith("/_demo/") and self.is_direct():
            status, text = self.control()
        elif self.path == "/.well-known/jwks.json":
            status, text = 200, KEYS.read_bytes()
        else:
            status, text = BROKEN["status"] if random.random() < BROKEN["rate"] else self.status(), self.echo(body)
        has_body = 200 <= status and status not in (204, 304)
        self.send_response(status)
        if VERSION:
            self.send_header("x-upstream-version", VERSION)
        if has_body:
            self.send_header("content-type", "application/json" if text.startswith(b"{") else "text/plain")
            self.send_header("content-length", str(len(text)))
        self.end_headers()
        if has_body and self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def echo(self, body):
        """Returns what reached us."""
        echo = {"version": VERSION} if VERSION else {}
        echo |= {"method": self.command, "path": self.path}
        echo["headers"] = [": ".join(header) for header in self.headers.items()]
        if body:
            echo["body"] = body.decode("utf-8", "backslashreplace")
        return (json.dumps(echo, indent=2) + "\n").encode()

    def is_direct(self):
        """Says whether this came to our own port: whoever comes through Envoy is the demo's client, and breaks nothing."""
        return "x-request-id" not in self.headers

    def control(self):
        """Breaks or mends this upstream. Returns the status and the text of the answer."""
        path, _, query = self.path.partition("?")
        # A percent sign need not be written %25 here.
        asked = dict(pair.partition("=")[::2] for pair in query.split("&"))
        rate = re.fullmatch(r"(\d+(?:\.\d+)?)%(?:25)?", asked.get("rate", "100%"))
        status = asked.get("status", "503")
        if self.command != "POST" or path not in ("/_demo/break", "/_demo/mend"):
            return 404, b"There are POST /_demo/break?rate=100%&status=503 and POST /_demo/mend.\n"
        if not rate or not re.fullmatch(r"[2-5]\d\d", status):
            return 400, b"A rate is 0% to 100%, and a status 200 to 599.\n"
        BROKEN.update(rate=float(rate[1]) / 100 if path == "/_demo/break" else 0.0, status=int(status))
        fails = f"fails in {BROKEN['rate']:.0%} of all cases" if BROKEN["rate"] else "is well"
        return 200, f"{VERSION or 'This'} {fails}.\n".encode()

    def status(self):
        """Returns the status that the path asks for."""
        path, _, query = self.path.partition("?")
        asked = urllib.parse.parse_qs(query)
        wanted = asked.get("status", [path.removeprefix("/status/")])[0]
        status = int(wanted) if wanted.isdecimal() and 200 <= int(wanted) <= 599 else None
        fails = asked.get("fail", [""])[0]
        if fails.isdecimal():
            return status or 503 if self.came() <= int(fails) else 200
        return status or 200

    def came(self):
        """Returns how often this request has come, this time counted."""
        request = (self.path, self.headers.get("x-request-id"))
        with CAME_LOCK:
            CAME[request] = CAME.pop(request, 0) + 1
            while MOST_CAME < len(CAME):
                CAME.popitem(last=False)
            return CAME[request]

    def body(self):
        """Returns the body, which must be read before the next request."""
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(chunks)

    def log_message(self, *_):
        """Stays silent: Envoy has an access log."""


def main():
    address, _, port = (sys.argv[1] if 1 < len(sys.argv) else "127.0.0.1:8000").rpartition(":")
    try:
        http.server.ThreadingHTTPServer((address, int(port)), Echo).serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
