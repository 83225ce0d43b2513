"""The simulated name server answers as real ones do."""

from __future__ import annotations

import struct

import pytest

from noc_netlab import dns

ZONE = dns.Zone(
    {"core.example": ["10.0.0.1"], "both.example": ["10.0.0.2", "2001:db8::2"], "second.example": ["10.0.0.1"]}
)
A, PTR, AAAA = 1, 12, 28


def query(name: str, kind: int) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", kind, 1)


@pytest.mark.parametrize(
    ("name", "kind", "code", "records"),
    [
        ("core.example", A, 0, [b"\x0a\0\0\x01"]),
        ("CORE.example", A, 0, [b"\x0a\0\0\x01"]),
        ("core.example", AAAA, 0, []),
        ("both.example", AAAA, 0, [bytes.fromhex("20010db8000000000000000000000002")]),
        ("nobody.example", A, 3, []),
        ("1.0.0.10.in-addr.arpa", PTR, 0, [b"\x04core\x07example\0"]),
        ("9.0.0.10.in-addr.arpa", PTR, 3, []),
    ],
    ids=["address", "in any case", "no IPv6 address", "IPv6", "no such name", "name of an address", "nameless address"],
)
def test_a_question_gets_its_answer(name: str, kind: int, code: int, records: list[bytes]) -> None:
    asked = query(name, kind)
    answer = dns.answer(asked, ZONE)
    assert answer is not None
    number, flags, questions, count, *_ = struct.unpack_from("!6H", answer)
    assert (number, flags & 0x8000, flags & 0xF, questions, count) == (7, 0x8000, code, 1, len(records))
    assert answer[12 : len(asked)] == asked[12:]
    rest, found = answer[len(asked) :], []
    while rest:
        _, kind_of, _, _, length = struct.unpack_from("!3HIH", rest)
        assert kind_of == kind
        found.append(rest[12 : 12 + length])
        rest = rest[12 + length :]
    assert found == records


@pytest.mark.parametrize(
    "nonsense",
    [b"", b"\0" * 12, query("core.example", A)[:20], b"\xff" * 40, dns.answer(query("core.example", A), ZONE)],
)
def test_what_is_no_question_gets_none(nonsense: bytes) -> None:
    assert dns.answer(nonsense, ZONE) is None
