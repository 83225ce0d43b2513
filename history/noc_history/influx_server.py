"""A bucket of an InfluxDB server: lines in, InfluxQL out, and what it says of itself.

InfluxQL is the one query language that InfluxDB 1, 2 and 3 share.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import urllib3
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from noc_bus.time import HOUR_MS, Time
from noc_frame import crash
from noc_history.influx_lines import TYPES, double_quoted
from noc_history.store import StoreError

LINES_AT_ONCE: Final = 5_000
_TIMEOUT_MS: Final = 20_000
# As many threads as ask at once keep their connections; those of more are closed after each answer.
_CONNECTIONS: Final = 8
_ROWS_IN_A_PIECE: Final = 10_000
_BYTES_AT_ONCE: Final = 1 << 18
# The server refuses what is sent, and not the sender; sending it again unchanged can only help once it is set up right.
_REFUSED: Final = (400, 413, 422)
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
# More names than this make a longer query than filtering the answer costs.
_NAMES_IN_A_QUERY: Final = 50


class LinesRefused(Exception):
    """The server refuses some of the lines, and says why."""


class InfluxServer:
    """Every method raises StoreError, with the cure, where the server does not do it. Safe to use from several threads."""

    def __init__(self, address: str, token: str, org: str, bucket: str, password: str = "") -> None:
        """With a `password`, `token` is a user's name."""
        self._address, self._org, self._bucket = address, org, bucket
        both = f"{token}:{password}" if password else token
        # Version 1 takes both as a token too. Version 2 knows such users, and takes them for InfluxQL in this way alone.
        shown = f"Basic {base64.b64encode(both.encode()).decode()}" if password else f"Token {token}"
        self._client = InfluxDBClient(url=address, token=both, org=org, timeout=_TIMEOUT_MS, enable_gzip=False)
        self._writer = self._client.write_api(write_options=SYNCHRONOUS)
        self._http = urllib3.PoolManager(
            maxsize=_CONNECTIONS,
            headers={"Authorization": shown},
            timeout=_TIMEOUT_MS / 1000,
            retries=False,
        )

    def close(self) -> None:
        self._client.close()
        self._http.clear()

    def write(self, lines: Sequence[str]) -> None:
        """All of them are stored, by the server's own answer; or some are not: raises LinesRefused."""
        crash.point("write:before")
        with self._explained("write"):
            try:
                self._writer.write(bucket=self._bucket, record="\n".join(lines))
            except ApiException as error:
                if error.status not in _REFUSED:
                    raise
                raise LinesRefused(_reason_of(error)) from error
        crash.point("write:after")

    def write_whole(self, lines: Sequence[str]) -> None:
        """As `write`, of what no server has a reason to refuse, however much it is."""
        try:
            for first in range(0, len(lines), LINES_AT_ONCE):
                self.write(lines[first : first + LINES_AT_ONCE])
        except LinesRefused as error:
            raise self._failed("write", str(error), None) from error

    def delete(self, measurement: str, before: Time) -> None:
        """Every point of it from before `before`."""
        with self._explained("delete"):
            try:
                self._client.delete_api().delete(
                    "1970-01-01T00:00:00Z",
                    str(Time(before - 1)),
                    f'_measurement="{measurement}"',
                    bucket=self._bucket,
                    org=self._org,
                )
            except ApiException as error:
                # Version 1.8 has no such route, and another word for it.
                if error.status not in (_NOT_FOUND, 405):
                    raise
                self._delete_by_query(f"DELETE FROM {measurement} WHERE time < {int(before)}ms")

    def _delete_by_query(self, query: str) -> None:
        fields = {"db": self._bucket, "q": query}
        answer = self._http.request("POST", f"{self._address}/query", fields=fields, encode_multipart=False)
        if answer.status != 200:
            raise self._failed("delete", f"{answer.status} {_message_in(answer.data)}", answer.status)

    def forget(self, measurement: str, tags: Mapping[str, str]) -> None:
        """Every point of it with these tags."""
        with self._explained("delete"):
            try:
                named = "".join(f" AND {tag}={double_quoted(value)}" for tag, value in tags.items())
                self._client.delete_api().delete(
                    "1970-01-01T00:00:00Z",
                    "2262-01-01T00:00:00Z",
                    f'_measurement="{measurement}"{named}',
                    bucket=self._bucket,
                    org=self._org,
                )
            except ApiException as error:
                if error.status not in (_NOT_FOUND, 405):
                    raise
                # Of version 1 nothing but this takes the names out of its index too.
                where = " AND ".join(f"{tag} = {quoted(value)}" for tag, value in tags.items())
                self._delete_by_query(f"DROP SERIES FROM {measurement} WHERE {where}")

    def series(self, query: str, epoch: str = "ms") -> Iterator[tuple[dict[str, str], list[dict[str, Any]]]]:
        """Every series of the answer: its tags, and its rows by column."""
        with self._answer({"q": query, "epoch": epoch}) as answer:
            data = answer.data
        yield from self._series_in(data)

    def pieces(self, query: str, epoch: str = "ms") -> Iterator[tuple[dict[str, str], list[dict[str, Any]]]]:
        """As `series`, in the order of tags and of time, but a few rows at a time: an answer may be of any length."""
        fields = {"q": query, "epoch": epoch, "chunked": "true", "chunk_size": str(_ROWS_IN_A_PIECE)}
        with self._answer(fields) as answer:
            rest = b""
            for data in answer.stream(_BYTES_AT_ONCE):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    yield from self._series_in(line)
            # Each piece of an InfluxDB is a line: this is none, or of another server.
            if rest:
                yield from self._series_in(rest)

    @contextlib.contextmanager
    def _answer(self, fields: Mapping[str, str]) -> Iterator[urllib3.BaseHTTPResponse]:
        fields = {"db": self._bucket, **fields}
        try:
            answer = self._http.request("GET", f"{self._address}/query", fields=fields, preload_content=False)
            with answer:
                if answer.status != 200:
                    raise self._failed("read", f"{answer.status} {_message_in(answer.data)}", answer.status)
                yield answer
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._failed("read", str(error), None) from error

    def _series_in(self, data: bytes) -> Iterator[tuple[dict[str, str], list[dict[str, Any]]]]:
        try:
            result = msgspec.json.decode(data)["results"][0]
        except (ValueError, LookupError, TypeError):
            raise self._failed("read", "what answers there is no InfluxDB", _NOT_FOUND) from None
        if "error" in result:
            # Our queries are right: what cannot be answered is about the bucket.
            raise self._failed("read", result["error"], _NOT_FOUND)
        for series in result.get("series", ()):
            # Version 2 has series without rows: the retention policies of a bucket that is not there.
            rows = [dict(zip(series["columns"], values, strict=True)) for values in series.get("values", ())]
            yield series.get("tags", {}), rows

    # -- how the bucket is set up

    def make_bucket(self) -> None:
        """Make the bucket where there is none and the token may; it keeps for good what it is given."""
        with self._explained("look for"):
            api = self._client.buckets_api()
            try:
                found = api.find_bucket_by_name(self._bucket)
            except ApiException as error:
                # Version 1 has no such route, and some tokens may not look at buckets: reading will tell.
                if error.status not in (401, _FORBIDDEN, _NOT_FOUND, 405):
                    raise
                return
            if found is not None:
                return
        with self._explained("make"):
            api.create_bucket(bucket_name=self._bucket, org=self._org)

    def retention_trouble(self) -> str | None:
        """With the cure, where the bucket keeps data for less than for good."""
        keeps_ms = self.keeps_ms()
        return None if keeps_ms is None else self.retention_cure(keeps_ms)

    def retention_cure(self, keeps_ms: int) -> str:
        return (
            f"bucket {self._bucket} at {self._address} keeps data for {keeps_ms / HOUR_MS:g} hours only, but states and "
            "incidents are kept for good: set its retention to forever (influx bucket update --retention 0)"
        )

    def keeps_ms(self) -> int | None:
        """For how long the bucket keeps data; None: for good, or the server does not tell."""
        # Version 2 says of every bucket in InfluxQL that it keeps for good, and the truth by this route alone.
        with contextlib.suppress(InfluxDBError, urllib3.exceptions.HTTPError, OSError):
            found = self._client.buckets_api().find_bucket_by_name(self._bucket)
            if found is not None:
                return next((rule.every_seconds * 1000 for rule in found.retention_rules if rule.every_seconds), None)
        with contextlib.suppress(StoreError):
            for _, rows in self.series(f"SHOW RETENTION POLICIES ON {double_quoted(self._bucket)}"):
                for row in rows:
                    if row.get("default", True):
                        return _duration_ms(row["duration"])
        return None

    def type_trouble(self, measurement: str) -> str | None:
        """What another program did to our fields, and what to do about it; None: nothing."""
        wanted = TYPES[measurement]
        try:
            found = [row for _, rows in self.series(f"SHOW FIELD KEYS FROM {measurement}") for row in rows]
        except StoreError:
            return None
        for row in found:
            ours = wanted.get(row["fieldKey"])
            if ours is not None and row["fieldType"] != ours:
                return (
                    f"in bucket {self._bucket} at {self._address} the field {row['fieldKey']} of {measurement} has the type "
                    f"{row['fieldType']}, and NOC writes {ours}: another program writes there; delete what it wrote, "
                    "or give NOC a bucket of its own in NOC_HISTORY_URL"
                )
        return None

    @contextlib.contextmanager
    def _explained(self, act: str) -> Iterator[None]:
        try:
            yield
        except ApiException as error:
            raise self._failed(act, f"{error.status} {_reason_of(error)}", error.status) from error
        except InfluxDBError as error:
            # The client's own: it finds no organisation, for the token may look at none.
            raise self._failed(act, str(error), _FORBIDDEN) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._failed(act, str(error), None) from error

    def _failed(self, act: str, reason: str, status: int | None) -> StoreError:
        cure = {
            401: "check the token in NOC_HISTORY_URL",
            _FORBIDDEN: "give the token the right to read and write the bucket",
            _NOT_FOUND: "check address, organisation and bucket in NOC_HISTORY_URL",
        }.get(status or 0, "check that the server runs and can be reached")
        return StoreError(
            f"cannot {act} bucket {self._bucket} at {self._address}: {' '.join(reason.split())[:300]}; {cure}",
            can_retry=True,
        )


def chosen(tag: str, names: Sequence[str] | None) -> str:
    """The beginning of a condition. Where it would be long, everything is asked for and filtered afterwards."""
    if names is None or len(names) > _NAMES_IN_A_QUERY:
        return ""
    return "(" + " OR ".join(f"{tag} = {quoted(one)}" for one in names) + ") AND "


def between(start: int, end: int) -> str:
    """A condition on the time, in milliseconds."""
    return f"time >= {int(start)}ms AND time < {int(end)}ms"


def quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def _duration_ms(text: str) -> int | None:
    """`24h0m0s` as the server writes it; None for its way of saying for ever."""
    units_s = {"h": 3600, "m": 60, "s": 1}
    total_s = sum(int(number) * units_s[unit] for number, unit in re.findall(r"(\d+)([hms])", text))
    return total_s * 1000 or None


def _reason_of(error: ApiException) -> str:
    body = error.body.encode() if isinstance(error.body, str) else error.body
    return _message_in(body) if body else str(error.reason)


def _message_in(body: bytes) -> str:
    """What version 2 says in JSON; else all there is."""
    text = body.decode(errors="replace")
    try:
        return str(json.loads(text).get("message", text))
    except (ValueError, AttributeError):
        return text
