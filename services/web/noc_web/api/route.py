"""What a route is: one declaration for its guard, its documentation and its tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

import msgspec

from noc_bus.codec import decode_other
from noc_bus.messages import SLUG_PATTERN
from noc_bus.time import Time
from noc_web.auth.actor import Actor, Role
from noc_web.json import decode
from noc_web.problem import FieldError, ProblemCode, ProblemError, invalid, refused

_LONGEST_NUMBER: Final = 12
# The form is right, and still it may be no time that a clock of ours shows.
_MOMENT_FORM: Final = re.compile(r"\d{1,13}|\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+ -]\d\d:\d\d)", re.ASCII)
_SLUG: Final = re.compile(SLUG_PATTERN)
ROOT: Final = "/api/v1"
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Work = Literal["short", "history", "passwords", "mail"]
"""Which threads serve it: reading much history, hashing passwords and waiting for mail servers must hold up nobody else."""
B = TypeVar("B", bound="Body")


class Body(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The JSON body of a request."""


@dataclass(frozen=True)
class Ask:
    """A request that has passed the guard."""

    actor: Actor
    variables: Mapping[str, str]
    query: Mapping[str, str]
    raw: bytes

    def __getitem__(self, variable: str) -> str:
        return self.variables[variable]

    @property
    def body(self) -> object:
        """The body's JSON, of any shape. Raises ProblemError 422."""
        try:
            return decode(self.raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise invalid([FieldError("", f"The body is not JSON: {error}.")]) from None

    def read(self, body: type[B]) -> B:
        """The body as its declaration says. Raises ProblemError 422."""
        try:
            return msgspec.convert(decode(self.raw), body, dec_hook=decode_other)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            what, _, where = str(error).partition(" - at `$.")
            field = where.rstrip("`")
            raise invalid([FieldError(field, f"{f'{field}: ' if field else 'The body: '}{what}.")]) from None

    def time(self, name: str, default: Time) -> Time:
        """A moment of the query: RFC 3339 or milliseconds since 1970. Raises ProblemError 422."""
        text = self.query.get(name)
        if text is None:
            return default
        try:
            # A plus sign that was not encoded has become a space.
            return Time.parse(str(Time(int(text)))) if text.isdecimal() else Time.parse(text.replace(" ", "+"))
        except (ValueError, OverflowError, OSError):
            accepted = "a time like 2026-11-24T12:00:00Z or milliseconds since 1970, of this century"
            code = ProblemCode.DOES_NOT_FIT if _MOMENT_FORM.fullmatch(text) else ProblemCode.NOT_ACCEPTED
            raise self._refused(name, text, accepted, code) from None

    def period(self, default_ms: int, longest_ms: int) -> tuple[Time, Time]:
        """`from` and `to` of the query, the end no later than now. Raises ProblemError 422."""
        now = Time.now()
        end = min(self.time("to", now), now)
        start = self.time("from", Time(end - default_ms))
        if start >= end:
            raise self._refused("from", str(start), f"a time before {Time(end)}", ProblemCode.DOES_NOT_FIT)
        if end - start > longest_ms:
            days = longest_ms // 86_400_000
            raise self._refused("from", str(start), f"at most {days} days", ProblemCode.DOES_NOT_FIT)
        return start, Time(end)

    def span(self, default_ms: int, longest_ms: int) -> tuple[Time, Time]:
        """`from` and `to` of the query, from now on where nothing is said. Raises ProblemError 422."""
        start = self.time("from", Time.now())
        end = self.time("to", Time(start + default_ms))
        if start >= end:
            raise self._refused("to", str(end), f"a time after {start}", ProblemCode.DOES_NOT_FIT)
        if end - start > longest_ms:
            accepted = f"a time at most {longest_ms // 86_400_000} days after {start}"
            raise self._refused("to", str(end), accepted, ProblemCode.DOES_NOT_FIT)
        return start, end

    def int_param(self, name: str, default: int, smallest: int, largest: int) -> int:
        """A whole number of the query. Raises ProblemError 422."""
        text = self.query.get(name)
        if text is None:
            return default
        if not text.isdecimal() or len(text) > _LONGEST_NUMBER or not smallest <= int(text) <= largest:
            raise self._refused(name, text, f"a whole number from {smallest} to {largest}")
        return int(text)

    def choice(self, name: str, default: str, accepted: tuple[str, ...]) -> str:
        """One of some words of the query. Raises ProblemError 422."""
        text = self.query.get(name, default)
        if text not in accepted:
            raise self._refused(name, text, " or ".join(accepted))
        return text

    def with_history(self) -> bool:
        """Whether the history of what is deleted goes too. Raises ProblemError 422."""
        return self.choice("history", "keep", ("keep", "delete")) == "delete"

    def page(self) -> tuple[int, int]:
        """`offset` and `limit` of the query. Raises ProblemError 422."""
        return self.int_param("offset", 0, 0, 10**9), self.int_param("limit", MOST_ROWS, 1, MOST_ROWS)

    def slug(self, name: str) -> str | None:
        """The id of a site or target in the query; None where it is left out. Raises ProblemError 422."""
        text = self.query.get(name)
        if text is not None and not _SLUG.search(text):
            raise self._refused(name, text, "lower-case letters, digits and hyphens")
        return text

    def named(self, variable: str) -> str:
        """The id that the path gives to something new. Raises ProblemError 422."""
        name = self[variable]
        if not _SLUG.search(name):
            raise self._refused(variable, name, "lower-case letters, digits and hyphens, 63 at most")
        return name

    def _refused(
        self, name: str, text: str, accepted: str, code: ProblemCode = ProblemCode.NOT_ACCEPTED
    ) -> ProblemError:
        return invalid([refused(name, text, accepted, code)])


@dataclass(frozen=True)
class Query:
    """A parameter in the query part."""

    name: str
    meaning: str
    schema: Mapping[str, Any]


@dataclass(frozen=True)
class Text:
    """A body or an answer that is text and not JSON, by its media types."""

    media_types: tuple[str, ...]


@dataclass(frozen=True)
class Route:
    """`path` is below ROOT, its variables in braces; `{path}` may have slashes.

    `body` and `answer` are types that msgspec can describe; `most_bytes` lets the body be larger than usual. The handler gives what `answer` says,
    or a Flask response; None becomes 204. It takes what was asked, and by name what else it works with: see `serving.blueprint`.
    """

    method: Method
    path: str
    role: Role
    summary: str
    handler: Callable[..., object]
    body: Any = None
    answer: Any = None
    status: int = 200
    query: tuple[Query, ...] = ()
    most_bytes: int | None = None
    before_password: bool = False
    work: Work = "short"


MOMENT: Final = {
    "anyOf": [
        {"type": "string", "format": "date-time"},
        {"type": "string", "pattern": "^[0-9]{1,13}$", "description": "milliseconds since 1970"},
    ]
}
SLUG: Final = {"type": "string", "pattern": SLUG_PATTERN}
HISTORY: Final = (
    Query(
        "history",
        "delete: all that is kept of it goes too, but incidents; nothing brings it back",
        {"type": "string", "enum": ["keep", "delete"], "default": "keep"},
    ),
)
"""Of what is deleted; see `Ask.with_history`."""
PERIOD: Final = (
    Query("from", "start of the period: RFC 3339 or milliseconds since 1970", MOMENT),
    Query("to", "end of the period, now where it is left out", MOMENT),
)
MOST_ROWS: Final = 10_000
PAGES: Final = (
    Query("offset", "how many rows to leave out at the start", {"type": "integer", "minimum": 0, "default": 0}),
    Query(
        "limit",
        "at most so many rows",
        {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": MOST_ROWS},
    ),
)
"""Of an answer whose rows are turned over page by page; see `Ask.page`."""
