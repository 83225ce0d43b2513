"""A name server's thinking: the answer to one question over UDP, from a table of names. Pure.

It knows addresses of names and names of addresses; for all else there is no such name.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Mapping, Sequence
from typing import Final

_HEADER: Final = struct.Struct("!6H")
_A, _PTR, _AAAA, _ANY = 1, 12, 28, 255
_INTERNET: Final = 1
_IS_ANSWER: Final = 0x8400
_WANTS_RECURSION: Final = 0x0100
_CAN_RECUR: Final = 0x0080
_NO_SUCH_NAME: Final = 3
_NAME_OF_QUESTION: Final = b"\xc0\x0c"
_LONGEST_LABEL: Final = 63

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Zone:
    """All names there are, and what they stand for. The first name of an address is its reverse name."""

    def __init__(self, names: Mapping[str, Sequence[str]], ttl_s: int = 60) -> None:
        self.ttl_s = ttl_s
        self.addresses: dict[str, list[Address]] = {
            name.lower(): [ipaddress.ip_address(one) for one in addresses] for name, addresses in names.items()
        }
        self.names: dict[str, str] = {}
        for name, addresses in self.addresses.items():
            for address in addresses:
                self.names.setdefault(address.reverse_pointer, name)


def answer(query: bytes, zone: Zone) -> bytes | None:
    """What to send back; None for what is no question."""
    try:
        number, flags, questions, *_ = _HEADER.unpack_from(query)
        name, end = _read_name(query, _HEADER.size)
        kind, _ = struct.unpack_from("!2H", query, end)
    except (struct.error, IndexError, UnicodeDecodeError):
        return None
    if flags & 0x8000 or questions != 1:
        return None
    is_known, records = _look_up(name.lower(), kind, zone)
    flags = _IS_ANSWER | _CAN_RECUR | (flags & _WANTS_RECURSION) | (0 if is_known else _NO_SUCH_NAME)
    header = _HEADER.pack(number, flags, 1, len(records), 0, 0)
    return header + query[_HEADER.size : end + 4] + b"".join(records)


def _look_up(name: str, kind: int, zone: Zone) -> tuple[bool, list[bytes]]:
    """Whether the name exists, and its records of this kind."""
    records = [
        _record(of_family, address.packed, zone.ttl_s)
        for address in zone.addresses.get(name, ())
        if kind in (of_family := _A if address.version == 4 else _AAAA, _ANY)
    ]
    pointer = zone.names.get(name)
    if pointer and kind in (_PTR, _ANY):
        records.append(_record(_PTR, _write_name(pointer), zone.ttl_s))
    return bool(pointer) or name in zone.addresses, records


def _record(kind: int, content: bytes, ttl_s: int) -> bytes:
    return _NAME_OF_QUESTION + struct.pack("!2HIH", kind, _INTERNET, ttl_s, len(content)) + content


def _read_name(message: bytes, at: int) -> tuple[str, int]:
    """A name, and where what follows it begins."""
    labels = []
    while length := message[at]:
        if length > _LONGEST_LABEL:
            raise IndexError("a question has no compressed name")
        labels.append(message[at + 1 : at + 1 + length].decode("ascii"))
        at += 1 + length
    return ".".join(labels), at + 1


def _write_name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.split(".")) + b"\0"
