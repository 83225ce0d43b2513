"""Runs a service all of whose sentences are one letter: `python -m tests.parts.one_letter noc_alerter`.

Whatever a program decides by a sentence, it decides otherwise then.
"""

from __future__ import annotations

import runpy
import sys
from typing import Any, Final

import msgspec

from noc_bus import codec
from noc_bus.messages import Message
from noc_bus.time import Time

_SENTENCES: Final = frozenset({"reason", "cause", "text", "error", "trouble", "invalid", "evidence", "errors"})
LETTER: Final = "x"


def in_one_letter(message: Message) -> bytes:
    """The message as JSON, its sentences replaced."""
    return msgspec.json.encode(_replaced(msgspec.to_builtins(message, enc_hook=_text)))


def _replaced(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _replaced(one, key) for key, one in value.items()}
    if isinstance(value, list):
        return [_replaced(one, name) for one in value]
    return LETTER if isinstance(value, str) and name in _SENTENCES else value


def _text(value: Any) -> str:
    assert isinstance(value, Time)
    return str(value)


class _Encoder:
    encode = staticmethod(in_one_letter)


if __name__ == "__main__":
    codec._encoder = _Encoder()  # type: ignore[assignment, misc]  # for this process, which is a test's
    module = sys.argv.pop(1)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
