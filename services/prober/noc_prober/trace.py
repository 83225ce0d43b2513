"""Follows the path to an address, with or without privilege, in a few seconds.

Probes with rising time to live go out a few milliseconds apart, and Linux's error queue tells which
router let each of them die. ICMP echo where it is allowed, because firewalls let it pass; UDP else.
"""

from __future__ import annotations

import secrets
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from icmplib import ICMPSocketError

from noc_bus.messages import Hop, Router
from noc_prober import packets
from noc_prober.addresses import Destination
from noc_prober.codes import ErrorCode
from noc_prober.errqueue import QueuedError, kernel_stamp_ns, read_errors
from noc_prober.outstanding import Arrival
from noc_prober.packets import EchoReply, Family, error_code, error_text
from noc_prober.sockets import SO_TIMESTAMPNS, open_one, queue_errors, transmit

MAX_HOPS: Final = 30
PROBES: Final = 3
_GAP_S: Final = 0.01
_PATIENCE_S: Final = 1.5
_NAMES_WAIT_S: Final = 1.0
_UDP_PORT: Final = 33434
_UNREACHABLE: Final = {4: 3, 6: 1}

NameOf = Callable[[str], str | None]


class CannotTrace(Exception):
    """The path could not be followed from this machine. The text says why."""


@dataclass(frozen=True)
class Path:
    """`is_reached`: the target itself answered, and it is the last hop."""

    address: str
    is_reached: bool
    hops: list[Hop]


class Answer(NamedTuple):
    """What came back for one probe. `is_end`: the path goes no further; `code` and `reason` then say why not."""

    number: int
    source: str
    is_end: bool
    arrival: Arrival
    code: ErrorCode | None = None
    reason: str | None = None


class Probes(Protocol):
    """One kind of probe to one destination."""

    sock: socket.socket

    def send(self, number: int, ttl: int) -> None: ...
    def read(self) -> Iterator[Answer]: ...
    def close(self) -> None: ...


def trace(to: Destination, timeout_s: float = 1.0, name_of: NameOf | None = None) -> Path:
    """Follow the path; takes a few seconds more than the timeout, which is the target's own. Raises CannotTrace."""
    probes = _open(to)
    try:
        steps = _walk(probes, to, max(timeout_s, _PATIENCE_S))
    finally:
        probes.close()
    names = _names({source for step in steps for source in step.routers}, name_of or reverse_name)
    return _path(to, steps, names)


def reverse_name(address: str) -> str | None:
    try:
        name = socket.getnameinfo((address, 0), socket.NI_NAMEREQD)[0]
    except OSError:
        return None
    return name if len(name) <= 253 and name.isprintable() else None


@dataclass
class Step:
    """What is known of one hop: who answered, in the order received, and how far the packets got."""

    routers: dict[str, list[Answer]] = field(default_factory=dict)
    rtts_ms: dict[str, list[float]] = field(default_factory=dict)
    is_end: bool = False

    def add(self, answer: Answer, rtt_ms: float) -> None:
        self.is_end = self.is_end or answer.is_end
        self.routers.setdefault(answer.source, []).append(answer)
        self.rtts_ms.setdefault(answer.source, []).append(rtt_ms)


def _walk(probes: Probes, to: Destination, patience_s: float) -> list[Step]:
    """Send every probe that is still of use, and wait for their answers."""
    steps = [Step() for _ in range(MAX_HOPS)]
    sent_ns: dict[int, int] = {}
    refused: OSError | None = None
    for number in range(PROBES * MAX_HOPS):
        ttl = number % MAX_HOPS + 1
        if ttl > _end(steps):
            continue
        sent_ns[number] = time.monotonic_ns()
        try:
            probes.send(number, ttl)
        except OSError as error:
            refused = error
            del sent_ns[number]
        _listen(probes, steps, sent_ns, time.monotonic() + _GAP_S)
    if not sent_ns and refused:
        raise CannotTrace(f"no probe to {to.address} left this machine: {refused.strerror}")
    until_s = time.monotonic() + patience_s
    while (now_s := time.monotonic()) < until_s and not _is_complete(steps, sent_ns):
        _listen(probes, steps, sent_ns, min(until_s, now_s + 0.05))
    return steps


def _listen(probes: Probes, steps: list[Step], sent_ns: dict[int, int], until_s: float) -> None:
    poll = select.poll()
    poll.register(probes.sock, select.POLLIN | select.POLLERR)
    while (left_s := until_s - time.monotonic()) > 0:
        if not poll.poll(left_s * 1000):
            return
        for answer in probes.read():
            started_ns = sent_ns.pop(answer.number, None)
            if started_ns is not None:
                steps[answer.number % MAX_HOPS].add(answer, round(answer.arrival.since(started_ns) / 1e6, 3))


def _end(steps: list[Step]) -> int:
    """The time to live beyond which no probe is of use."""
    return next((ttl for ttl, step in enumerate(steps, 1) if step.is_end), MAX_HOPS)


def _is_complete(steps: list[Step], unanswered: Iterable[int]) -> bool:
    end = _end(steps)
    return not any(number % MAX_HOPS < end for number in unanswered)


def _path(to: Destination, steps: list[Step], names: dict[str, str]) -> Path:
    last = max((ttl for ttl, step in enumerate(steps, 1) if step.routers), default=0)
    end = min(_end(steps), last + 1)
    hops = [_hop(ttl, step, names) for ttl, step in enumerate(steps[:end], 1)]
    answers = steps[end - 1].routers.get(to.address, []) if hops else []
    # A target that forbids the packet has not answered, though the path ends there.
    is_reached = any(answer.is_end and answer.code in (None, ErrorCode.PORT_UNREACHABLE) for answer in answers)
    return Path(to.address, is_reached, hops)


def _hop(ttl: int, step: Step, names: dict[str, str]) -> Hop:
    routers = [
        Router(
            address=source,
            name=names.get(source),
            rtts_ms=step.rtts_ms[source],
            code=next((answer.code for answer in answers if answer.code), None),
            reason=next((answer.reason for answer in answers if answer.reason), None),
        )
        for source, answers in step.routers.items()
    ]
    if not routers:
        return Hop(ttl=ttl, routers=[])
    first = routers[0]
    return Hop(ttl=ttl, address=first.address, name=first.name, rtts_ms=first.rtts_ms, routers=routers)


def _names(addresses: set[str], name_of: NameOf) -> dict[str, str]:
    """The reverse names that come soon; a slow name server holds up nobody."""
    found: dict[str, str] = {}

    def ask(address: str) -> None:
        if name := name_of(address):
            found[address] = name

    threads = [threading.Thread(target=ask, args=(address,), daemon=True) for address in addresses]
    until_s = time.monotonic() + _NAMES_WAIT_S
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until_s - time.monotonic()))
    return dict(found)


def _open(to: Destination) -> Probes:
    try:
        return _EchoProbes(to)
    except ICMPSocketError:
        return _UdpProbes(to)


class _EchoProbes:
    def __init__(self, to: Destination) -> None:
        self._own = open_one(to.family)
        self.sock = self._own.sock
        queue_errors(self.sock, to.family)
        self._to = to
        self._ident = self._own.ident or secrets.randbelow(0xFFFF) + 1
        self._cookie = secrets.token_bytes(packets.COOKIE_BYTES)

    def send(self, number: int, ttl: int) -> None:
        packet = packets.request(self._to.family, self._ident, number, self._cookie, 56)
        # An error about an earlier probe may be reported instead of sending this one: then it is sent now.
        try:
            self._own.transmit(packet, self._to, ttl)
        except OSError:
            self._own.transmit(packet, self._to, ttl)

    def read(self) -> Iterator[Answer]:
        for error in read_errors(self.sock, self._to.family):
            if error is None or error.destination != self._to.address or len(error.payload) < packets.HEADER_BYTES:
                continue
            ident, seq = (int.from_bytes(error.payload[i : i + 2], "big") for i in (4, 6))
            if ident == self._ident and error.offender:
                yield _refusal(seq, error, self._to)
        while (received := _receive(self.sock)) is not None:
            packet, source, stamp = received
            reply = packets.read(self._to.family, packet, has_ip_header=self._own.has_ip_header)
            if (
                isinstance(reply, EchoReply)
                and not reply.is_damaged
                and (source, reply.ident, reply.payload[: packets.COOKIE_BYTES])
                == (
                    self._to.address,
                    self._ident,
                    self._cookie,
                )
            ):
                yield Answer(reply.seq, source, True, _arrival(stamp))

    def close(self) -> None:
        self._own.close()


class _UdpProbes:
    """To ports nobody listens on, one for each probe: the target says so, routers on the way let them die."""

    def __init__(self, to: Destination) -> None:
        family: Family = to.family
        try:
            self.sock = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
        except OSError as error:
            raise CannotTrace(f"this machine cannot send to {to.address}: {error.strerror}") from None
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        queue_errors(self.sock, family)
        self._to = to

    def send(self, number: int, ttl: int) -> None:
        sockaddr = (self._to.sockaddr[0], _UDP_PORT + number, *self._to.sockaddr[2:])
        to = Destination(self._to.family, self._to.address, sockaddr)
        try:
            transmit(self.sock, bytes(32), to, ttl)
        except OSError:
            transmit(self.sock, bytes(32), to, ttl)

    def read(self) -> Iterator[Answer]:
        for error in read_errors(self.sock, self._to.family):
            if error is not None and error.destination == self._to.address and error.offender:
                yield _refusal(error.port - _UDP_PORT, error, self._to)
        while _receive(self.sock) is not None:
            continue  # nobody is asked to answer with a datagram

    def close(self) -> None:
        self.sock.close()


def _refusal(number: int, error: QueuedError, to: Destination) -> Answer:
    """What an ICMP error says about one probe; the end of its time to live is what a trace lives on."""
    arrival = _arrival(error.stamp_wall_ns)
    code = error_code(error.family, error.kind, error.code)
    if code is ErrorCode.TTL_EXCEEDED:
        return Answer(number, error.offender, error.offender == to.address, arrival)
    is_end = error.kind == _UNREACHABLE[error.family] or error.offender == to.address
    return Answer(number, error.offender, is_end, arrival, code, error_text(error.family, error.kind, error.code))


def _receive(sock: socket.socket) -> tuple[bytes, str, int | None] | None:
    try:
        packet, ancillary, _, source = sock.recvmsg(2048, 64)
    except OSError:
        return None
    return packet, source[0], kernel_stamp_ns(ancillary)


def _arrival(stamp_wall_ns: int | None) -> Arrival:
    return Arrival(time.monotonic_ns(), time.time_ns(), stamp_wall_ns)
