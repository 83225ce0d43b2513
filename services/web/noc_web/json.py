"""Values as browsers and API clients get them, and as they write them: JSON, times as RFC 3339."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from noc_bus.time import Time

Row = dict[str, Any]
"""One line of an answer, by field."""

# Up to here a float is the whole number that was written.
_EXACT: Final = 2.0**53


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


def decode(raw: bytes | str) -> Any:
    """JSON of any shape. 5 and 5.0 are the same number to it: both are an int here.

    Stricter than Python's own: no NaN, and no half characters that could not be written again.
    Raises msgspec.DecodeError, UnicodeDecodeError, RecursionError.
    """
    return _whole(msgspec.json.decode(raw))


def _whole(value: Any) -> Any:
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= _EXACT else value
    if isinstance(value, list):
        return [_whole(one) for one in value]
    if isinstance(value, dict):
        return {name: _whole(one) for name, one in value.items()}
    return value
