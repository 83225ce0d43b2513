"""Values as browsers and API clients get them: JSON, times as RFC 3339."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from noc_bus.time import Time

Row = dict[str, Any]
"""One line of an answer, by field."""


def _other(value: Any) -> str:
    if isinstance(value, Time):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} has no JSON")


_encoder: Final = msgspec.json.Encoder(enc_hook=_other)


def encode(value: object) -> bytes:
    return _encoder.encode(value)


def plain(value: object) -> Any:
    """Lists, dicts, texts and numbers only, as the JSON would have them."""
    return msgspec.json.decode(_encoder.encode(value))
