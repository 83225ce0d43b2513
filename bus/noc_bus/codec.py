"""Messages to JSON and back. Decoding is validating: what comes out obeys its declaration."""

from __future__ import annotations

import functools
from typing import Any, Final, TypeVar, cast

import msgspec

from noc_bus.messages import Message
from noc_bus.time import Time

# The largest message we write (a replay batch) is kept below 256 kB; nothing honest is larger than this.
MAX_PAYLOAD_BYTES: Final = 1_000_000

M = TypeVar("M", bound=Message)


class BadMessage(Exception):
    """A payload that is not the message its topic promises. The text says what is wrong with it."""


def encode(message: Message) -> bytes:
    return _encoder.encode(message)


def decode(payload: bytes, message: type[M]) -> M:
    """Read one message. Raises BadMessage for anything else, whatever the bytes are."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise BadMessage(f"{len(payload)} bytes, the most accepted is {MAX_PAYLOAD_BYTES}")
    try:
        return cast("M", _decoder(message).decode(payload))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessage(str(error) or type(error).__name__) from None


def _encode_other(value: Any) -> str:
    if isinstance(value, Time):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} does not travel on the bus")


def decode_other(kind: type, value: Any) -> Any:
    """For msgspec's `dec_hook`: a `Time` from its text."""
    if kind is Time:
        if not isinstance(value, str):
            raise ValueError("a time is a string, like 2026-11-24T12:00:00.000Z")
        return Time.parse(value)
    raise NotImplementedError(f"{kind.__name__} does not travel on the bus")


_encoder: Final = msgspec.json.Encoder(enc_hook=_encode_other)


@functools.cache
def _decoder(message: type[Any]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(message, dec_hook=decode_other)
