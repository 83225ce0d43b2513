"""What counts as an answer: the right host, numbers, cookie and checksum, once and in time."""

from __future__ import annotations

import socket
import struct

import pytest

from noc_prober.addresses import Destination
from noc_prober.check import Evidence
from noc_prober.codes import ErrorCode
from noc_prober.outstanding import REMEMBERED_S, Arrival, Echo, Outstanding
from noc_prober.packets import EchoReply, IcmpError, checksum, cookie, read, request

HOST = "192.0.2.7"
TO = Destination(4, HOST, (HOST, 0))
PAYLOAD = b"c" * 16 + bytes(40)
MS = 1_000_000


class Heard:
    def __init__(self) -> None:
        self.story: list[str] = []

    def answered(self, echo: Echo) -> None:
        self.story.append(f"heard {echo.rtt_ms}")

    def late(self) -> None:
        self.story.append("late")

    def duplicate(self) -> None:
        self.story.append("duplicate")

    def odd_reply(self, code: ErrorCode, source: str) -> None:
        self.story.append(f"{code} {source}")

    def error(self, echo: Echo, error: IcmpError, source: str) -> None:
        self.story.append(f"{error.text}, says {source}")


def arrived(after_ms: float) -> Arrival:
    return Arrival(int(after_ms * MS), 0, None)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def outstanding(heard: Heard) -> Outstanding:
    outstanding = Outstanding()
    outstanding.add(Echo(TO, 7, 42, PAYLOAD, 0, 1000 * MS, heard), now_s=0.0)
    return outstanding


@pytest.mark.parametrize(
    ("source", "reply", "story"),
    [
        (HOST, EchoReply(7, 42, PAYLOAD), ["heard 10.0"]),
        (HOST, EchoReply(8, 42, PAYLOAD), []),
        (HOST, EchoReply(7, 43, PAYLOAD), []),
        ("192.0.2.8", EchoReply(7, 42, PAYLOAD), ["other-source 192.0.2.8"]),
        ("192.0.2.8", EchoReply(7, 42, b"x" * 56), []),
        (HOST, EchoReply(7, 42, b"x" * 16 + PAYLOAD[16:]), ["altered 192.0.2.7"]),
        (HOST, EchoReply(7, 42, PAYLOAD[:-1] + b"x"), ["altered 192.0.2.7", "heard 10.0"]),
        (HOST, EchoReply(7, 42, PAYLOAD, is_damaged=True), ["altered 192.0.2.7"]),
        (HOST, EchoReply(7, 42, PAYLOAD[:20]), ["cut 192.0.2.7", "heard 10.0"]),
        (HOST, EchoReply(7, 42, b""), ["cut 192.0.2.7"]),
    ],
    ids=[
        "the right one",
        "another identifier",
        "another sequence number",
        "another host that has seen the request",
        "another host that has not",
        "another cookie",
        "something else behind the cookie",
        "a wrong checksum",
        "cut behind the cookie",
        "cut before it",
    ],
)
def test_only_the_right_reply_counts(
    outstanding: Outstanding, heard: Heard, source: str, reply: EchoReply, story: list[str]
) -> None:
    outstanding.reply(source, reply, arrived(10))
    assert heard.story == story


def test_a_second_copy_is_a_duplicate(outstanding: Outstanding, heard: Heard) -> None:
    for after_ms in (10, 11, 12):
        outstanding.reply(HOST, EchoReply(7, 42, PAYLOAD), arrived(after_ms))
    assert heard.story == ["heard 10.0", "duplicate", "duplicate"]


def test_a_reply_after_the_timeout_is_late_and_no_answer(outstanding: Outstanding, heard: Heard) -> None:
    outstanding.reply(HOST, EchoReply(7, 42, PAYLOAD), arrived(1000.1))
    outstanding.reply(HOST, EchoReply(7, 42, PAYLOAD), arrived(1000.2))
    assert heard.story == ["late", "duplicate"]


def test_a_request_is_forgotten_some_time_after_its_timeout(outstanding: Outstanding, heard: Heard) -> None:
    outstanding.expire(1.0 + REMEMBERED_S - 1)
    assert len(outstanding) == 1
    outstanding.expire(1.0 + REMEMBERED_S + 2)
    assert len(outstanding) == 0
    outstanding.reply(HOST, EchoReply(7, 42, PAYLOAD), arrived(15_000))
    assert heard.story == []


def test_an_icmp_error_is_told_and_decides_nothing(outstanding: Outstanding, heard: Heard) -> None:
    outstanding.error("192.0.2.1", IcmpError(HOST, 7, 42, "Destination host unreachable"))
    outstanding.error("192.0.2.1", IcmpError(HOST, 7, 99, "Destination host unreachable"))
    outstanding.reply(HOST, EchoReply(7, 42, PAYLOAD), arrived(10))
    assert heard.story == ["Destination host unreachable, says 192.0.2.1", "heard 10.0"]


def test_each_error_is_told_once_and_no_more_than_a_result_may_carry() -> None:
    evidence = Evidence()
    for number in range(40):
        evidence.add(ErrorCode.HOST_UNREACHABLE, f"error {number}")
        evidence.add(ErrorCode.HOST_UNREACHABLE, f"error {number}")
    assert evidence.texts == [f"error {number}" for number in range(20)]
    assert evidence.codes == ["host-unreachable"] * 20


def test_odd_replies_are_told_with_their_number() -> None:
    evidence = Evidence()
    for _ in range(3):
        evidence.add(ErrorCode.OTHER_SOURCE, "10.64.9.9")
    evidence.add(ErrorCode.ALTERED, HOST)
    evidence.add(ErrorCode.CUT, HOST)
    assert evidence.texts == ["3 replies came from 10.64.9.9", "1 reply came back altered", "1 reply came back cut"]
    assert evidence.codes == ["other-source", "altered", "cut"]


def test_numbers_are_free_unless_a_request_to_that_address_has_them(outstanding: Outstanding) -> None:
    assert not outstanding.is_free(HOST, 7, 42)
    assert outstanding.is_free(HOST, 7, 43)
    assert outstanding.is_free("192.0.2.8", 7, 42)


@pytest.mark.parametrize(
    ("arrival", "rtt_ms"),
    [
        (Arrival(50 * MS, 1000 * MS, None), 50),
        (Arrival(50 * MS, 1000 * MS, 960 * MS), 10),
        (Arrival(50 * MS, 1000 * MS, 1000 * MS + 3_600_000 * MS), 50),
        (Arrival(50 * MS, 3_600_000 * MS, 960 * MS), 50),
        (Arrival(-1, 1000 * MS, 999 * MS), 0),
    ],
    ids=["no stamp", "read 40 ms late", "clock set back an hour", "clock set forward an hour", "never negative"],
)
def test_the_kernels_stamp_is_believed_within_the_monotonic_time(arrival: Arrival, rtt_ms: float) -> None:
    assert arrival.since(0) == rtt_ms * MS


def reply_to(packet: bytes, *, good_checksum: bool = True) -> bytes:
    """As a raw socket delivers it, with an IPv4 header in front."""
    body = b"\x00\x00\x00\x00" + packet[4:]
    total = checksum(body) ^ (0 if good_checksum else 1)
    icmp = body[:2] + struct.pack("!H", total) + body[4:]
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(icmp), 0, 0, 64, 1, 0, bytes(4), bytes(4)) + icmp


def test_a_reply_is_read_with_its_numbers_and_cookie() -> None:
    packet = request(4, 7, 42, b"c" * 16, 56)
    assert checksum(packet) == 0
    assert len(packet) == 64
    assert read(4, reply_to(packet), has_ip_header=True) == EchoReply(7, 42, PAYLOAD)


def test_a_wrong_checksum_is_told() -> None:
    packet = request(4, 7, 42, b"c" * 16, 56)
    assert read(4, reply_to(packet, good_checksum=False), has_ip_header=True) == EchoReply(7, 42, PAYLOAD, True)


@pytest.mark.parametrize("size", range(84))
def test_a_packet_cut_short_is_damaged_or_nothing_and_no_crash(size: int) -> None:
    packet = reply_to(request(4, 7, 42, b"c" * 16, 56))[:size]
    found = read(4, packet, has_ip_header=True)
    assert found is None if size < 28 else isinstance(found, EchoReply)
    assert not isinstance(found, EchoReply) or found.payload == PAYLOAD[: size - 28]


@pytest.mark.parametrize("size_bytes", [24, 55, 1472])
def test_the_payload_has_the_size_asked_for(size_bytes: int) -> None:
    assert len(request(6, 1, 1, b"c" * 16, size_bytes)) == 8 + size_bytes


def test_a_quoted_request_names_what_was_pinged() -> None:
    quoted = request(4, 7, 42, b"c" * 16, 56)[:8]
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 84, 0, 0, 1, 1, 0, bytes(4), socket.inet_aton(HOST))
    error = struct.pack("!BBHI", 11, 0, 0, 0) + ip + quoted
    error = error[:2] + struct.pack("!H", checksum(error)) + error[4:]
    found = read(4, struct.pack("!B19x", 0x45) + error, has_ip_header=True)
    assert found == IcmpError(HOST, 7, 42, "Time to live exceeded", ErrorCode.TTL_EXCEEDED)


def test_a_quoted_request_over_ipv6_names_what_was_pinged() -> None:
    quoted = struct.pack("!IHBB16s16s", 6 << 28, 64, 58, 1, bytes(16), socket.inet_pton(socket.AF_INET6, "fd99::7"))
    error = struct.pack("!BBHI", 1, 3, 0, 0) + quoted + request(6, 7, 42, b"c" * 16, 56)
    assert read(6, error, has_ip_header=False) == IcmpError(
        "fd99::7", 7, 42, "Address unreachable", ErrorCode.HOST_UNREACHABLE
    )


def test_cookies_differ_with_everything_that_names_a_request() -> None:
    cookies = {
        cookie(key, address, ident, seq, sent_ns)
        for key in (b"k" * 32, b"l" * 32)
        for address in (HOST, "192.0.2.8")
        for ident in (1, 2)
        for seq in (1, 2)
        for sent_ns in (1, 2)
    }
    assert len(cookies) == 32
