"""Refusals as RFC 9457 problem documents, each with a code that programs can go by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    # Settings and commands refuse too, and have no use for a web server.
    from flask import Response


class ProblemCode(StrEnum):
    """Why a request is refused. New ones may come: who does not know one goes by the status."""

    NOT_ACCEPTED = "not-accepted"
    """A value is not of the form that the API's description gives."""
    DOES_NOT_FIT = "does-not-fit"
    """Values that are fine alone and not together, or not with what is there."""
    UNREADABLE_FILE = "unreadable-file"
    WEAK_PASSWORD = "weak-password"  # noqa: S105  # a word about passwords
    UNKNOWN_PARENT = "unknown-parent"
    CIRCULAR_PARENTS = "circular-parents"
    LOG_IN = "log-in"
    CHOOSE_PASSWORD = "choose-password"  # noqa: S105  # a word about passwords
    STALE_PAGE = "stale-page"
    FORBIDDEN = "forbidden"
    WRONG_PASSWORD = "wrong-password"  # noqa: S105  # the same
    NOT_FOUND = "not-found"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    CONFLICT = "conflict"
    EXISTS = "exists"
    IN_USE = "in-use"
    NOT_RUNNING = "not-running"
    """A maintenance of which no window runs."""
    LAST_ADMIN = "last-admin"
    OFFLINE = "offline"
    NO_MAIL = "no-mail"
    NO_LISTENER = "no-listener"
    """The broker has no listener for other machines."""
    TOO_LARGE = "too-large"
    TOO_MANY = "too-many"
    BUSY = "busy"
    BROKER_UNREACHABLE = "broker-unreachable"
    HISTORY_UNAVAILABLE = "history-unavailable"
    DATABASE_UNAVAILABLE = "database-unavailable"
    BAD_REQUEST = "bad-request"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"


_BY_STATUS: Final[Mapping[int, ProblemCode]] = {
    400: ProblemCode.BAD_REQUEST,
    401: ProblemCode.LOG_IN,
    403: ProblemCode.FORBIDDEN,
    404: ProblemCode.NOT_FOUND,
    405: ProblemCode.METHOD_NOT_ALLOWED,
    409: ProblemCode.CONFLICT,
    413: ProblemCode.TOO_LARGE,
    422: ProblemCode.NOT_ACCEPTED,
    429: ProblemCode.TOO_MANY,
    503: ProblemCode.UNAVAILABLE,
}


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field, in a sentence that names the value and what is accepted."""

    field: str
    detail: str
    code: ProblemCode = ProblemCode.NOT_ACCEPTED


class ProblemError(Exception):
    """A request that is refused, with the reason for whoever sent it.

    Where no code is given it is that of the first field, else the usual one of the status.
    """

    def __init__(
        self, status: int, detail: str, errors: Sequence[FieldError] = (), code: ProblemCode | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.code = code or (errors[0].code if errors else _BY_STATUS.get(status, ProblemCode.FAILED))

    def response(self) -> Response:
        from flask import Response

        document = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        if self.errors:
            document["errors"] = [asdict(error) for error in self.errors]
        answer = Response(msgspec.json.encode(document), self.status, mimetype="application/problem+json")
        if self.status == HTTPStatus.UNAUTHORIZED:
            answer.headers["WWW-Authenticate"] = "Bearer"
        return answer


def invalid(errors: Sequence[FieldError]) -> ProblemError:
    return ProblemError(422, " ".join(error.detail for error in errors[:3]), errors)


def refused(name: str, text: str, accepted: str, code: ProblemCode = ProblemCode.NOT_ACCEPTED) -> FieldError:
    return FieldError(name, f"{name}: {text[:60]!r} is not accepted; use {accepted}.", code)
