"""What can be pinged on a first start: this machine's gateways and DNS resolvers as far as they answer, and itself."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from noc_prober.addresses import BadAddress, literal
from noc_prober.check import Check, CheckPlan, Findings, Tally
from noc_prober.ping import Pinger
from noc_prober.sockets import open_all

_RTF_GATEWAY: Final = 0x2
_GROUP: Final = "surroundings"
_THIS_HOST: Final = "127.0.0.1"


def gateways_4(table: str) -> list[str]:
    """The default gateways in the text of /proc/net/route."""
    found = []
    for line in table.splitlines()[1:]:
        words = line.split()
        if len(words) < 8 or (words[1], words[7]) != ("00000000", "00000000") or not int(words[3], 16) & _RTF_GATEWAY:
            continue
        # The kernel prints the address as a number of this machine's byte order.
        found.append(socket.inet_ntoa(int(words[2], 16).to_bytes(4, sys.byteorder)))
    return _once(found)


def gateways_6(table: str) -> list[str]:
    """The default gateways in the text of /proc/net/ipv6_route; link-local ones with their interface."""
    found = []
    for line in table.splitlines():
        words = line.split()
        if len(words) < 10 or (words[0], words[1]) != ("0" * 32, "00") or not int(words[8], 16) & _RTF_GATEWAY:
            continue
        gateway = ipaddress.IPv6Address(bytes.fromhex(words[4]))
        found.append(f"{gateway}%{words[9]}" if gateway.is_link_local else str(gateway))
    return _once(found)


def resolvers(resolv_conf: str) -> list[str]:
    """The name servers that are not this machine itself."""
    found = []
    for word in re.findall(r"^[ \t]*nameserver[ \t]+(\S+)", resolv_conf, re.MULTILINE):
        try:
            if not ipaddress.ip_address(word).is_loopback:
                found.append(word)
        except ValueError:
            continue
    return _once(found)


def proposals(gateways: Iterable[str], name_servers: Iterable[str]) -> list[dict[str, object]]:
    """First targets, in the words of the catalogue. An address that is two things is named for the first."""
    named = [("gateway", "Gateway", address) for address in gateways]
    named += [("dns", "DNS resolver", address) for address in name_servers]
    named += [("this-host", "This host", _THIS_HOST)]
    targets: list[dict[str, object]] = []
    for slug, name, address in named:
        if all(target["address"] != address for target in targets):
            number = sum(str(target["id"]).startswith(slug) for target in targets) + 1
            targets.append({
                "id": slug if number == 1 else f"{slug}-{number}",
                "name": name if number == 1 else f"{name} {number}",
                "address": address,
                "group": _GROUP,
            })  # fmt: skip
    return targets


def look_around() -> list[dict[str, object]]:
    """Proposals for the machine this runs on. Reads files only; sends nothing."""
    gateways = gateways_4(_read("/proc/net/route")) + gateways_6(_read("/proc/net/ipv6_route"))
    # systemd-resolved puts itself into the usual file and the real servers into its own.
    name_servers = resolvers(_read("/etc/resolv.conf")) or resolvers(_read("/run/systemd/resolve/resolv.conf"))
    return proposals(gateways, name_servers)


def answering(targets: list[dict[str, object]]) -> list[dict[str, object]]:
    """Those that answer an echo request now, and this host; takes little more than a second.

    Many a gateway answers none: a first look at NOC must not be an alarm about it. Raises NoIcmp.
    """
    answers = asyncio.run(_answers([str(target["address"]) for target in targets]))
    return [
        target for target, is_there in zip(targets, answers, strict=True) if is_there or target["address"] == _THIS_HOST
    ]


async def _answers(addresses: list[str]) -> list[bool]:
    pinger = Pinger(open_all())
    try:
        return await asyncio.gather(*(_answers_once(pinger, address) for address in addresses))
    finally:
        pinger.close()


async def _answers_once(pinger: Pinger, address: str) -> bool:
    try:
        to = literal(address)
    except BadAddress:
        return False
    assert to, "gateways and resolvers are addresses"
    loop = asyncio.get_running_loop()
    over: asyncio.Future[Findings] = loop.create_future()
    plan = CheckPlan(start_s=loop.time(), destinations=(to,), packets=2, gap_s=0.2)
    Check(pinger, plan, Tally(), over.set_result).start()
    return bool((await over).rtts_ms)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _once(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))
