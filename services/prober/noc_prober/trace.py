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

from noc_bus.messages import Hop
from noc_prober import packets
from noc_prober.addresses import Destination
from noc_prober.errqueue import kernel_stamp_ns, read_errors
from noc_prober.outstanding import Arrival
from noc_prober.packets import EchoReply, Family
from noc_prober.sockets import SO_TIMESTAMPNS, hear_errors, open_one, transmit

MOST_HOPS: Final = 30
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


class Heard(NamedTuple):
    """What came back for one probe. `is_end`: the path goes no further."""

    number: int
    offender: str
    is_end: bool
    arrival: Arrival


class Prober(Protocol):
    """One kind of probe."""

    sock: socket.socket

    def send(self, number: int, ttl: int) -> None: ...
    def read(self) -> Iterator[Heard]: ...
    def close(self) -> None: ...


def trace(to: Destination, name_of: NameOf | None = None) -> Path:
    """Follow the path; takes at most about five seconds. Raises CannotTrace."""
    probes = _open(to)
    try:
        answers = _walk(probes, to)
    finally:
        probes.close()
    names = _names({answer.offender for answer in answers if answer}, name_of or reverse_name)
    return _path(to, answers, names)


def reverse_name(address: str) -> str | None:
    try:
        name = socket.getnameinfo((address, 0), socket.NI_NAMEREQD)[0]
    except OSError:
        return None
    return name if len(name) <= 253 and name.isprintable() else None


@dataclass
class Step:
    """What is known of one hop."""

    offender: str = ""
    is_end: bool = False
    rtts_ms: list[float] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.offender)


def _walk(probes: Prober, to: Destination) -> list[Step]:
    """Send every probe that is still of use, and hear them out."""
    steps = [Step() for _ in range(MOST_HOPS)]
    sent_ns: dict[int, int] = {}
    refused: OSError | None = None
    for number in range(PROBES * MOST_HOPS):
        ttl = number % MOST_HOPS + 1
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
    until_s = time.monotonic() + _PATIENCE_S
    while (now_s := time.monotonic()) < until_s and not _is_complete(steps, sent_ns):
        _listen(probes, steps, sent_ns, min(until_s, now_s + 0.05))
    return steps


def _listen(probes: Prober, steps: list[Step], sent_ns: dict[int, int], until_s: float) -> None:
    poll = select.poll()
    poll.register(probes.sock, select.POLLIN | select.POLLERR)
    while (left_s := until_s - time.monotonic()) > 0:
        if not poll.poll(left_s * 1000):
            return
        for heard in probes.read():
            started_ns = sent_ns.pop(heard.number, None)
            if started_ns is None:
                continue
            step = steps[heard.number % MOST_HOPS]
            step.offender = step.offender or heard.offender
            step.is_end = step.is_end or heard.is_end
            step.rtts_ms.append(round(heard.arrival.since(started_ns) / 1e6, 3))


def _end(steps: list[Step]) -> int:
    """The time to live beyond which no probe is of use."""
    return next((ttl for ttl, step in enumerate(steps, 1) if step.is_end), MOST_HOPS)


def _is_complete(steps: list[Step], unanswered: Iterable[int]) -> bool:
    end = _end(steps)
    return not any(number % MOST_HOPS < end for number in unanswered)


def _path(to: Destination, steps: list[Step], names: dict[str, str]) -> Path:
    last = max((ttl for ttl, step in enumerate(steps, 1) if step), default=0)
    end = min(_end(steps), last + 1)
    hops = [
        Hop(ttl=ttl, address=step.offender or None, name=names.get(step.offender), rtts_ms=step.rtts_ms)
        for ttl, step in enumerate(steps[:end], 1)
    ]
    return Path(to.address, bool(hops) and hops[-1].address == to.address and steps[end - 1].is_end, hops)


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


def _open(to: Destination) -> Prober:
    try:
        return _EchoProbes(to)
    except ICMPSocketError:
        return _UdpProbes(to)


class _EchoProbes:
    def __init__(self, to: Destination) -> None:
        self._own = open_one(to.family)
        self.sock = self._own.sock
        hear_errors(self.sock, to.family)
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

    def read(self) -> Iterator[Heard]:
        for error in read_errors(self.sock, self._to.family):
            if error is None or error.destination != self._to.address or len(error.payload) < packets.HEADER_BYTES:
                continue
            ident, seq = (int.from_bytes(error.payload[i : i + 2], "big") for i in (4, 6))
            if ident == self._ident and error.offender:
                is_end = error.kind == _UNREACHABLE[self._to.family] or error.offender == self._to.address
                yield Heard(seq, error.offender, is_end, _arrival(error.stamp_wall_ns))
        while (received := _receive(self.sock)) is not None:
            packet, source, stamp = received
            heard = packets.read(self._to.family, packet, has_ip_header=self._own.has_ip_header)
            if isinstance(heard, EchoReply) and (source, heard.ident, heard.cookie) == (
                self._to.address,
                self._ident,
                self._cookie,
            ):
                yield Heard(heard.seq, source, True, _arrival(stamp))

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
        hear_errors(self.sock, family)
        self._to = to

    def send(self, number: int, ttl: int) -> None:
        sockaddr = (self._to.sockaddr[0], _UDP_PORT + number, *self._to.sockaddr[2:])
        to = Destination(self._to.family, self._to.address, sockaddr)
        try:
            transmit(self.sock, bytes(32), to, ttl)
        except OSError:
            transmit(self.sock, bytes(32), to, ttl)

    def read(self) -> Iterator[Heard]:
        for error in read_errors(self.sock, self._to.family):
            if error is not None and error.destination == self._to.address and error.offender:
                is_end = error.kind == _UNREACHABLE[self._to.family] or error.offender == self._to.address
                yield Heard(error.port - _UDP_PORT, error.offender, is_end, _arrival(error.stamp_wall_ns))
        while _receive(self.sock) is not None:
            continue  # nobody is asked to answer with a datagram

    def close(self) -> None:
        self.sock.close()


def _receive(sock: socket.socket) -> tuple[bytes, str, int | None] | None:
    try:
        packet, ancillary, _, source = sock.recvmsg(2048, 64)
    except OSError:
        return None
    return packet, source[0], kernel_stamp_ns(ancillary)


def _arrival(stamp_wall_ns: int | None) -> Arrival:
    return Arrival(time.monotonic_ns(), time.time_ns(), stamp_wall_ns)
