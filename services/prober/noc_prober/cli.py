"""`noc ping` and `noc trace`: the prober's own engine in a terminal, without a broker.

`python -m noc_prober.cli ping HOST...`; the `noc` command hands its words on to here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from noc_bus.messages import Hop
from noc_bus.time import Time
from noc_prober.addresses import BadAddress, Destination
from noc_prober.check import CheckPlan, Findings, Tally, checked
from noc_prober.lookup import finding
from noc_prober.packets import Family
from noc_prober.ping import Pinger
from noc_prober.resolver import LookUp, system_look_up
from noc_prober.sockets import IcmpSocket, NoIcmp, open_all
from noc_prober.trace import CannotTrace
from noc_prober.trace import trace as follow
from noc_rules.share import pct

COMMANDS: Final = ("ping", "trace")
"""The first words that `main` takes."""
EXIT_USAGE: Final = 2


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. Results for machines alone go to standard output, problems to standard error."""
    words = sys.argv[1:] if words is None else words
    match words:
        case ["ping", *others]:
            return ping(others)
        case ["trace", *others]:
            return trace(others)
        case _:
            print("usage: python -m noc_prober.cli ping|trace ...", file=sys.stderr)
            return EXIT_USAGE


def ping(argv: Sequence[str], look_up: LookUp = system_look_up) -> int:
    """Exit code 0 where at least one host answered, 1 where none did, 2 for a wrong argument."""
    parser = argparse.ArgumentParser(
        prog="noc ping", description="Ping hosts as a prober does: one socket, kernel time stamps."
    )
    parser.add_argument("hosts", nargs="+", metavar="HOST", help="IP address or host name")
    parser.add_argument("-c", "--count", type=_number(1, 1000), default=5, help="echo requests per host (5)")
    parser.add_argument("-i", "--interval", type=_seconds(0.01, 60), default=0.2, help="seconds between them (0.2)")
    parser.add_argument("-t", "--timeout", type=_number(10, 60_000), default=1000, help="milliseconds (1000)")
    parser.add_argument("-s", "--size", type=_number(24, 1472), default=56, help="bytes of payload (56)")
    parser.add_argument("--ttl", type=_number(1, 255), default=None, help="time to live (the system's)")
    _family_options(parser)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")
    options = parser.parse_args(argv)
    try:
        sockets = open_all()
    except NoIcmp as error:
        return _complain("noc ping", error)
    try:
        hosts = asyncio.run(_ping_all(sockets, options, look_up))
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    if options.json:
        print(json.dumps([host.as_json() for host in hosts], indent=2))
    return 0 if any(host.findings and host.findings.rtts_ms for host in hosts) else 1


def trace(argv: Sequence[str], look_up: LookUp = system_look_up) -> int:
    """Exit code 0 where the host was reached, 1 where it was not, 2 for a wrong argument."""
    parser = argparse.ArgumentParser(prog="noc trace", description="Show the path to a host. Needs no privilege.")
    parser.add_argument("host", metavar="HOST", help="IP address or host name")
    parser.add_argument("-n", "--numeric", action="store_true", help="do not look up the names of routers")
    _family_options(parser)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")
    options = parser.parse_args(argv)
    at = Time.now()
    try:
        to = finding(options.host, options.family, look_up).result()
        path = follow(to, name_of=(lambda address: None) if options.numeric else None)
    except (BadAddress, CannotTrace) as error:
        return _complain("noc trace", error)
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    if options.json:
        hops = [msgspec.to_builtins(hop) for hop in path.hops]
        print(json.dumps({"address": path.address, "at": str(at), "reached": path.is_reached, "hops": hops}, indent=2))
    else:
        print(f"{options.host} ({path.address})")
        for hop in path.hops:
            print("\n".join(_hop_lines(hop)))
        print("reached" if path.is_reached else "not reached")
    return 0 if path.is_reached else 1


@dataclass
class Host:
    """One host of `noc ping` and what became of it."""

    name: str
    to: Destination | None = None
    findings: Findings | None = None
    problem: str | None = None
    late: int = 0
    duplicates: int = 0

    def line(self) -> str:
        if self.findings is None or self.to is None:
            return f"{self.name}: {self.problem}"
        found, rtts = self.findings, self.findings.rtts_ms
        figures = "nothing sent"
        if found.sent:
            lost_pct = pct(found.sent - len(rtts), found.sent, 1)
            figures = f"{found.sent} sent, {len(rtts)} received, {lost_pct:g} % lost"
        parts = [f"{self.name} ({self.to.address}): {figures}"]
        if rtts:
            parts.append(f"min/avg/max {min(rtts):.3f}/{sum(rtts) / len(rtts):.3f}/{max(rtts):.3f} ms")
        parts += [f"{n} {what}" for n, what in ((self.late, "late"), (self.duplicates, "duplicates")) if n]
        parts += found.evidence.texts
        if found.invalid and found.invalid.text not in parts:
            parts.append(found.invalid.text)
        return "; ".join(parts)

    def as_json(self) -> dict[str, Any]:
        found = self.findings or Findings(0.0)
        invalid = found.invalid.text if found.invalid else self.problem
        return {
            "host": self.name,
            "address": self.to.address if self.to else None,
            "sent": found.sent,
            "received": len(found.rtts_ms),
            "loss_pct": pct(found.sent - len(found.rtts_ms), found.sent, 2),
            "rtts_ms": found.rtts_ms,
            "late": self.late,
            "duplicates": self.duplicates,
            "errors": found.evidence.texts,
            "error_codes": found.evidence.codes,
            "invalid": invalid,
            "invalid_code": found.invalid.code if found.invalid else None,
        }


async def _ping_all(sockets: dict[Family, IcmpSocket], options: argparse.Namespace, look_up: LookUp) -> list[Host]:
    pinger = Pinger(sockets)
    try:
        return await asyncio.gather(*(_ping_one(pinger, name, options, look_up) for name in options.hosts))
    finally:
        pinger.close()


async def _ping_one(pinger: Pinger, name: str, options: argparse.Namespace, look_up: LookUp) -> Host:
    host = Host(name)
    try:
        host.to = await asyncio.wrap_future(finding(name, options.family, look_up))
    except BadAddress as error:
        host.problem = str(error)
    else:
        plan = CheckPlan(
            start_s=asyncio.get_running_loop().time(),
            destinations=(host.to,),
            packets=options.count,
            gap_s=options.interval,
            timeout_ms=options.timeout,
            size_bytes=options.size,
            ttl=options.ttl,
            lateness_limit_s=options.timeout / 1000,
        )
        tally = Tally()
        host.findings = await checked(pinger, plan, tally)
        host.late, host.duplicates = tally.drain()
    if not options.json:
        print(host.line(), flush=True)
    return host


def _hop_lines(hop: Hop) -> list[str]:
    """A line for each router that answered, with its own times."""
    if not hop.routers:
        return [f"{hop.ttl:3}  *"]
    lines = []
    for number, router in enumerate(hop.routers):
        name = f"{router.name} ({router.address})" if router.name else router.address
        rtts = "  ".join(f"{rtt:.3f} ms" for rtt in router.rtts_ms)
        reason = f"  {router.reason}" if router.reason else ""
        lines.append(f"{hop.ttl if number == 0 else '':3}  {name}  {rtts}{reason}")
    return lines


def _family_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument("-4", dest="family", action="store_const", const="4", help="IPv4 only")
    group.add_argument("-6", dest="family", action="store_const", const="6", help="IPv6 only")
    parser.set_defaults(family="auto")


def _complain(command: str, error: Exception) -> int:
    print(f"{command}: {error}", file=sys.stderr)
    return 1


def _number(lowest: int, highest: int) -> Any:
    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not lowest <= int(text) <= highest:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {lowest} to {highest}")
        return int(text)

    return parse


def _seconds(lowest: float, highest: float) -> Any:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not lowest <= value <= highest:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from {lowest} to {highest}")
        return value

    return parse


if __name__ == "__main__":
    sys.exit(main())
