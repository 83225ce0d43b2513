"""What really happened: the simulated internet's own record of every echo request it saw."""

from __future__ import annotations

import ipaddress
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

RECORD: Final = struct.Struct("!q16s16sHHB")


@dataclass(frozen=True, slots=True)
class Seen:
    """One request. `at_ms` is milliseconds since 1970."""

    at_ms: float
    source: str
    address: str
    ident: int
    seq: int
    is_answered: bool


def pack(at_ns: int, source: bytes, target: bytes, ident: int, seq: int, *, is_answered: bool) -> bytes:
    return RECORD.pack(at_ns, source.rjust(16, b"\0"), target.rjust(16, b"\0"), ident, seq, is_answered)


def read(path: Path) -> Iterator[Seen]:
    content = path.read_bytes()
    whole = len(content) - len(content) % RECORD.size
    for at_ns, source, target, ident, seq, is_answered in RECORD.iter_unpack(content[:whole]):
        yield Seen(at_ns / 1e6, _text(source), _text(target), ident, seq, bool(is_answered))


def answered(path: Path, since_ms: float = 0.0) -> Counter[str]:
    """How many requests each address answered."""
    return Counter(one.address for one in read(path) if one.is_answered and one.at_ms >= since_ms)


def _text(packed: bytes) -> str:
    return str(ipaddress.ip_address(packed if any(packed[:12]) else packed[12:]))
