"""A real InfluxDB engine for tests: Debian's influxd 1.6, with the few version 2 routes it lacks put before it."""

from __future__ import annotations

import base64
import json
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, quote, urlencode, urlsplit

TOKEN: Final = "a token/with=odd:signs"
ORG: Final = "noc"
EVERYTHING: Final = frozenset({"read", "write", "make"})
ORG_ID: Final = "0123456789abcdef"
_CONFIG: Final = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc_port}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[subscriber]
  enabled = false
[continuous_queries]
  enabled = false
[http]
  bind-address = "127.0.0.1:{http_port}"
  log-enabled = false
  pprof-enabled = false
"""


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
        return port


class InfluxEngine:
    """One influxd on loopback and its front. It can be killed and started again on the same files."""

    def __init__(self, folder: Path, address: tuple[str, int] = ("127.0.0.1", 0), token: str = TOKEN) -> None:
        """`address`: where the front listens, on any free port where that is 0; `token`: whom it lets in."""
        self.folder = folder
        self.token = token
        self.refuse_with: int | None = None
        """An HTTP status the front answers everything with, while set."""
        self.refuse_after: int | None = None
        """So many more requests are answered, and none after them, while set."""
        self.is_version_1 = False
        """While set, the front has of version 2 only the writing, as version 1.8 does."""
        self.may = EVERYTHING
        """What the token may: read and write the bucket, which is all that a token of one bucket can have, or make others."""
        self.reader = ""
        """A user and a password with a colon between, who may read by InfluxQL: no token, and nothing else knows it."""
        self.deleted: dict[str, set[str]] = defaultdict(set)
        """By bucket, the targets of which points were deleted: version 2 knows their names for good."""
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "influxd.conf").write_text(
            _CONFIG.format(folder=folder, http_port=self._port, rpc_port=free_port()), encoding="utf-8"
        )
        self._front = _Front(self, address)
        threading.Thread(target=self._front.serve_forever, args=(0.05,), daemon=True).start()
        self.start()

    @staticmethod
    def is_here() -> bool:
        return shutil.which("influxd") is not None

    def start(self) -> None:
        with (self.folder / "influxd.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["influxd", "-config", str(self.folder / "influxd.conf")], stdout=log, stderr=log
            )
        end_s = time.monotonic() + 30
        while self.ask("GET", "/ping")[0] != 204:
            assert self._process.poll() is None, (self.folder / "influxd.log").read_text(encoding="utf-8")
            assert time.monotonic() < end_s, "influxd did not start in time"
            time.sleep(0.05)

    def kill(self) -> None:
        """As a power cut would: no chance to write anything more."""
        if self._process:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(timeout=10)
            self._process = None

    def close(self) -> None:
        self._front.shutdown()
        self._front.server_close()
        self.kill()

    def make_bucket(self, name: str, keep: str = "INF") -> str:
        """Its NOC_HISTORY_URL."""
        status, answer = self.run(f'CREATE DATABASE "{name}" WITH DURATION {keep}')
        assert status == 200, answer
        return self.url(name)

    def url(self, bucket: str, token: str | None = None) -> str:
        return f"influxdb://{quote(token or self.token, safe='')}@127.0.0.1:{self._front.server_port}/{ORG}/{bucket}"

    def run(self, query: str, bucket: str = "") -> tuple[int, bytes]:
        """One statement of InfluxQL, past the front."""
        return self.ask("POST", "/query?" + urlencode({"q": query, "db": bucket}))

    def names(self) -> list[str]:
        (found,) = json.loads(self.run("SHOW DATABASES")[1])["results"][0]["series"]
        return [name for (name,) in found.get("values", ())]

    def keeps_s(self, bucket: str) -> int:
        """For how long a bucket keeps data, in whole hours; 0: for good."""
        (found,) = json.loads(self.run(f'SHOW RETENTION POLICIES ON "{bucket}"')[1])["results"][0]["series"]
        (duration,) = (row[1] for row in found["values"])
        return int(duration.partition("h")[0]) * 3600 if "h" in duration else 0

    def put(self, bucket: str, lines: str) -> tuple[int, bytes]:
        """Line protocol, past the front and past our client."""
        return self.ask("POST", "/write?" + urlencode({"db": bucket}), lines.encode())

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}{path}", data=body, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except OSError:
            return 503, b'{"error": "no engine"}'


class _Front(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100

    def __init__(self, engine: InfluxEngine, address: tuple[str, int]) -> None:
        self.engine = engine
        super().__init__(address, _Forward)


class _Forward(BaseHTTPRequestHandler):
    """Version 2's write, delete and error bodies, and its token, in terms of version 1."""

    server: _Front
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._forward(b"")

    def do_POST(self) -> None:
        self._forward(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
        return

    def _forward(self, body: bytes) -> None:
        status, answer = self._answer(body)
        if status >= 400:
            answer = json.dumps({"code": "error", "message": _message_of(answer)}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if status != 204:
            self.wfile.write(answer)

    def _answer(self, body: bytes) -> tuple[int, bytes]:
        engine = self.server.engine
        parts = urlsplit(self.path)
        options = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if engine.refuse_after is not None:
            engine.refuse_after -= 1
        if engine.refuse_after is not None and engine.refuse_after < 0:
            return 503, b'{"error": "away for now"}'
        if engine.refuse_with:
            return engine.refuse_with, b'{"error": "refused by the test"}'
        if not self._is_let_in(parts.path):
            return 401, b'{"error": "unauthorized access"}'
        if options.get("org", ORG) != ORG:
            return 404, b'{"error": "organization not found"}'
        if parts.path == "/query" and self.command == "GET":
            return self._answer_query(options)
        if parts.path == "/api/v2/write":
            return self._answer_write(options, body)
        if engine.is_version_1:
            if parts.path == "/query":
                return engine.ask("POST", f"/query?{body.decode()}")
            return 404, b"404 page not found"
        return self._answer_as_version_2(parts.path, options, body)

    def _answer_write(self, options: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        engine = self.server.engine
        if "write" not in engine.may:
            return 403, b'{"error": "insufficient permissions for write"}'
        precision = {"ns": "n", "us": "u"}.get(options["precision"], options["precision"])
        return engine.ask("POST", "/write?" + urlencode({"db": options["bucket"], "precision": precision}), body)

    def _is_let_in(self, path: str) -> bool:
        engine, shown = self.server.engine, self.headers.get("Authorization")
        if engine.reader and shown == f"Basic {base64.b64encode(engine.reader.encode()).decode()}":
            return path == "/query" and self.command == "GET"
        return shown == f"Token {engine.token}"

    def _answer_query(self, options: Mapping[str, str]) -> tuple[int, bytes]:
        engine = self.server.engine
        if "read" not in engine.may:
            return 200, json.dumps({"results": [{"error": f"database not found: {options['db']}"}]}).encode()
        if not engine.is_version_1 and options["q"].startswith("SHOW TAG VALUES") and " WHERE " not in options["q"]:
            status, answer = engine.ask("GET", self.path)
            found = json.loads(answer)
            names = [["target", name] for name in sorted(engine.deleted[options["db"]])]
            found["results"][0].setdefault("series", []).append(
                {"name": "gone", "columns": ["key", "value"], "values": names}
            )
            return status, json.dumps(found).encode()
        if engine.is_version_1 or not options["q"].startswith("SHOW RETENTION POLICIES"):
            return engine.ask("GET", self.path)
        # Version 2 says so of every bucket, however long it keeps what it is given.
        columns = ["name", "duration", "shardGroupDuration", "replicaN", "default"]
        found = {"values": [["autogen", "0s", "168h0m0s", 1, True]]} if options["db"] in engine.names() else {}
        return 200, json.dumps({"results": [{"statement_id": 0, "series": [{"columns": columns, **found}]}]}).encode()

    def _answer_as_version_2(self, path: str, options: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        engine, is_made = self.server.engine, self.command == "POST"
        if path == "/api/v2/orgs":
            # Who may do something with one bucket only may not look at organisations.
            orgs = [{"id": ORG_ID, "name": ORG}] if "make" in engine.may else []
            return 200, json.dumps({"orgs": orgs}).encode()
        if path == "/api/v2/buckets" and is_made and "make" not in engine.may:
            return 401, b'{"error": "write:orgs/0123456789abcdef/buckets is unauthorized"}'
        if path == "/api/v2/buckets" and is_made:
            name = json.loads(body)["name"]
            engine.make_bucket(name)
            return 201, json.dumps(_bucket(name, 0)).encode()
        if path == "/api/v2/buckets":
            names = [name for name in engine.names() if name == options["name"]] if "read" in engine.may else []
            return 200, json.dumps({"buckets": [_bucket(name, engine.keeps_s(name)) for name in names]}).encode()
        if path == "/api/v2/delete" and "write" not in engine.may:
            return 403, b'{"error": "insufficient permissions to delete"}'
        if path == "/api/v2/delete":
            wanted = json.loads(body)
            measurement, *tags = (part.partition("=")[::2] for part in wanted["predicate"].split(" AND "))
            if tags:
                engine.deleted[options["bucket"]].update(json.loads(value) for name, value in tags if name == "target")
                where = " AND ".join(f"{name} = '{json.loads(value)}'" for name, value in tags)
                query = f"DROP SERIES FROM {measurement[1]} WHERE {where}"
            else:
                query = f"DELETE FROM {measurement[1]} WHERE time >= '{wanted['start']}' AND time <= '{wanted['stop']}'"
            status, answer = engine.run(query, options["bucket"])
            return (204, b"") if status == 200 else (status, answer)
        return 404, b'{"error": "no such route"}'


def _bucket(name: str, keeps_s: int) -> dict[str, object]:
    rules = [{"type": "expire", "everySeconds": keeps_s}]
    return {"id": ORG_ID, "orgID": ORG_ID, "name": name, "retentionRules": rules}


def _message_of(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["error"])
    except (ValueError, KeyError):
        return answer.decode(errors="replace")
