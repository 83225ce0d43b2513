"""Refusals as RFC 9457 problem documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus

import msgspec
from flask import Response


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field, in a sentence that names the value and what is accepted."""

    field: str
    detail: str


class ProblemError(Exception):
    """A request that is refused, with the reason for whoever sent it."""

    def __init__(self, status: int, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)

    def response(self) -> Response:
        document = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
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
