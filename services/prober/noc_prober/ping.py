"""Sends echo requests and hears replies, all targets over one socket per address family.

Others only help to send while that one's buffer is full of requests to silent neighbours.
"""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import time
from collections import deque
from itertools import chain
from typing import Final

from icmplib import ICMPSocketError

from noc_frame import log
from noc_prober import packets
from noc_prober.addresses import Destination
from noc_prober.codes import InvalidCode
from noc_prober.errqueue import kernel_stamp_ns, read_errors
from noc_prober.outstanding import Arrival, Echo, Listener, Outstanding
from noc_prober.packets import EchoReply, Family
from noc_prober.sockets import IcmpSocket, open_one
from noc_rules.site_state import Reason

_READ_AT_ONCE: Final = 256
# Firewalls remember ICMP flows by this number: a new one now and then leaves a stuck entry behind.
_IDENT_LASTS_S: Final = 300.0
# What a socket without CAP_NET_ADMIN has on its way at once is about 500 requests, and those to silent
# neighbours stay for seconds: then another socket goes on, so that the dead do not silence the living.
_MOST_SOCKETS: Final = 16
_FULL: Final = {errno.EAGAIN, errno.ENOBUFS}
_REASONS: Final = {
    errno.EPERM: Reason(InvalidCode.FILTERED, "a local firewall forbids it"),
    errno.EACCES: Reason(InvalidCode.FILTERED, "the system forbids it (a broadcast address?)"),
    errno.ENETUNREACH: Reason(InvalidCode.NO_ROUTE, "no route to that network"),
    errno.EHOSTUNREACH: Reason(InvalidCode.NO_ROUTE, "no route to that host"),
    errno.ENOBUFS: Reason(InvalidCode.NO_BUFFER, "no buffer space left"),
    errno.EAGAIN: Reason(InvalidCode.NO_BUFFER, "the send buffer is full"),
    errno.EMSGSIZE: Reason(InvalidCode.TOO_LARGE, "the packet is too large for the path"),
    errno.EADDRNOTAVAIL: Reason(InvalidCode.NO_SOURCE, "no local address fits"),
    errno.ENETDOWN: Reason(InvalidCode.LINK_DOWN, "the network is down"),
}


class NotSent(Exception):
    """The request did not leave this machine. `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.text)
        self.reason = reason


class Pinger:
    """Lives on the event loop that runs when it is made; `close` ends it."""

    def __init__(self, sockets: dict[Family, IcmpSocket]) -> None:
        self.outstanding = Outstanding()
        self.sent = 0
        self.worst_lateness_s = 0.0
        self._loop = asyncio.get_running_loop()
        self._key = secrets.token_bytes(32)
        # The first of a family sends; replies to raw sockets are only heard by the one that was there first.
        self._sockets = {family: deque([own]) for family, own in sockets.items()}
        self._retired: list[tuple[float, IcmpSocket]] = []
        self._closed_drops = 0
        self._idents: dict[Family, int] = {}
        self._seqs: dict[Family, int] = {}
        self._log = log.get("noc.prober")
        for family, own in sockets.items():
            self._renumber(family)
            self._loop.add_reader(own.sock, self._read, own, _READ_AT_ONCE)
        self._renumbered_s = self._loop.time()

    def send(self, to: Destination, listener: Listener, *, timeout_ms: float, size_bytes: int, ttl: int | None) -> Echo:
        """Send one request now. Raises NotSent."""
        sockets = self._sockets.get(to.family)
        if not sockets:
            raise NotSent(Reason(InvalidCode.NO_FAMILY, f"this machine has no IPv{to.family}"))
        tried = 0
        while True:
            try:
                echo = self._send_by(sockets[0], to, listener, timeout_ms, size_bytes, ttl)
            except OSError as error:
                tried += 1
                if error.errno in _FULL and self._turn(to.family, tried):
                    continue
                raise NotSent(_reason(error, to)) from None
            self.sent += 1
            return echo

    def read_now(self) -> None:
        """Take in every reply that has arrived, so that a verdict never overtakes one waiting in the socket."""
        for own in self._open():
            self._read(own, 100_000)

    def drops(self) -> int:
        """Packets the kernel dropped from our sockets since the start."""
        return self._closed_drops + sum(own.drops() for own in self._open())

    def late_by(self, lateness_s: float) -> None:
        self.worst_lateness_s = max(self.worst_lateness_s, lateness_s)

    def tick(self) -> None:
        """Housekeeping, about once a second."""
        now_s = self._loop.time()
        self.outstanding.expire(now_s)
        if now_s - self._renumbered_s > _IDENT_LASTS_S:
            self._renumbered_s = now_s
            for family, sockets in self._sockets.items():
                self._renumber(family) if sockets[0].is_raw else self._exchange(family)
        for _, own in [entry for entry in self._retired if entry[0] <= now_s]:
            self._close(own)
        self._retired = [entry for entry in self._retired if entry[0] > now_s]

    def close(self) -> None:
        for own in self._open():
            self._loop.remove_reader(own.sock)
            own.close()
        self._sockets, self._retired = {}, []

    def _open(self) -> tuple[IcmpSocket, ...]:
        """All that may still hear something."""
        return (*chain(*self._sockets.values()), *(own for _, own in self._retired))

    def _send_by(
        self, own: IcmpSocket, to: Destination, listener: Listener, timeout_ms: float, size_bytes: int, ttl: int | None
    ) -> Echo:
        """Raises OSError."""
        ident, seq = self._number(own, to.address)
        now_ns = time.monotonic_ns()
        cookie = packets.cookie(self._key, to.address, ident, seq, now_ns)
        packet = packets.request(to.family, ident, seq, cookie, size_bytes)
        payload = packets.payload_of(cookie, size_bytes)
        echo = Echo(to, ident, seq, payload, now_ns, int(timeout_ms * 1e6), listener)
        # It is known before it leaves: on loopback the answer is there before the call returns.
        self.outstanding.add(echo, now_ns / 1e9)
        echo.sent_ns = time.monotonic_ns()
        self._put(own, packet, to, ttl)
        return echo

    def _turn(self, family: Family, tried: int) -> bool:
        """Have another socket send: one that may have drained since, or a new one. False: all are full."""
        sockets = self._sockets[family]
        if tried < len(sockets):
            sockets.rotate(-1)
            return True
        if len(sockets) >= _MOST_SOCKETS:
            return False
        try:
            sockets.appendleft(self._opened(family, receives=not sockets[0].is_raw))
        except ICMPSocketError:
            return False
        return True

    def _number(self, own: IcmpSocket, address: str) -> tuple[int, int]:
        """An identifier and sequence number that no request to that address has now."""
        for _ in range(0x10000):
            seq = self._seqs[own.family] = (self._seqs[own.family] + 1) & 0xFFFF
            if seq == 0 and own.is_raw:
                self._renumber(own.family)
            ident = self._idents[own.family] if own.is_raw else own.ident
            if self.outstanding.is_free(address, ident, seq):
                return ident, seq
        raise NotSent(Reason(InvalidCode.NOT_SENT, f"65536 requests to {address} are on their way already"))

    def _renumber(self, family: Family) -> None:
        self._idents[family] = secrets.randbelow(0xFFFF) + 1
        self._seqs.setdefault(family, secrets.randbelow(0x8000))

    def _exchange(self, family: Family) -> None:
        """An unprivileged socket has its number for life: take a new one, hear the old ones out."""
        try:
            new = self._opened(family, receives=True)
        except ICMPSocketError as error:
            self._log.warning(f"no new ICMP socket could be opened, the old one goes on: {error}")
            return
        self._retired += [(self._loop.time() + 75.0, old) for old in self._sockets[family]]
        self._sockets[family] = deque([new])

    def _opened(self, family: Family, *, receives: bool) -> IcmpSocket:
        """Raises icmplib's ICMPSocketError."""
        new = open_one(family, receives=receives)
        self._loop.add_reader(new.sock, self._read, new, _READ_AT_ONCE)
        return new

    def _close(self, own: IcmpSocket) -> None:
        self._closed_drops += own.drops()
        self._loop.remove_reader(own.sock)
        own.close()

    def _put(self, own: IcmpSocket, packet: bytes, to: Destination, ttl: int | None) -> None:
        try:
            own.transmit(packet, to, ttl)
        except OSError:
            # Unprivileged sockets report an ICMP error about one target at the next call for another.
            if own.is_raw or not self._read_errors(own):
                raise
            own.transmit(packet, to, ttl)

    def _read(self, own: IcmpSocket, most: int) -> None:
        for _ in range(most):
            try:
                packet, ancillary, _, source = own.sock.recvmsg(2048, 64)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._read_errors(own)
                continue
            now_ns, wall_ns = time.monotonic_ns(), time.time_ns()
            heard = packets.read(own.family, packet, has_ip_header=own.has_ip_header)
            if isinstance(heard, EchoReply):
                arrival = Arrival(now_ns, wall_ns, kernel_stamp_ns(ancillary))
                self.outstanding.reply(source[0], heard, arrival)
            elif heard is not None:
                self.outstanding.error(source[0], heard)

    def _read_errors(self, own: IcmpSocket) -> bool:
        """Whether there were any errors from the network waiting."""
        found = False
        for error in read_errors(own.sock, own.family):
            found = True
            quoted = error.quoting(own.ident) if error else None
            if error and quoted:
                self.outstanding.error(error.offender, quoted)
        return found


def _reason(error: OSError, to: Destination) -> Reason:
    number = error.errno or 0
    reason = _REASONS.get(number) or Reason(InvalidCode.NOT_SENT, os.strerror(number))
    return Reason(reason.code, f"{reason.text}, to {to.address}"[:200])
