"""nftables in the test's own network namespace: silences hosts and cuts connections."""

from __future__ import annotations

import ipaddress
import subprocess
from typing import Final

_TABLE: Final = "inet netlab"
# Answers are dropped as they come in: what is dropped on its way out is told to the sender (EPERM),
# which a dead host never does.
_RULES: Final = f"""
table {_TABLE} {{
    set mute4 {{ type ipv4_addr; }}
    set mute6 {{ type ipv6_addr; }}
    set apart {{ type ipv4_addr . ipv4_addr; }}
    set cut {{ type ipv4_addr . inet_service; }}
    chain arriving {{
        type filter hook prerouting priority -300;
        ip saddr @mute4 drop
        ip6 saddr @mute6 drop
        ip saddr . ip daddr @apart drop
        ip daddr . ip saddr @apart drop
        ip saddr . tcp dport @cut drop
        ip daddr . tcp sport @cut drop
    }}
    chain leaving {{
        type filter hook postrouting priority 300;
        ip daddr . tcp sport @cut drop
    }}
    chain lossy {{
        type filter hook prerouting priority -290;
    }}
    chain translated {{
        type nat hook input priority 100;
    }}
}}
"""


class Firewall:
    """Rules are loaded at the first use. Raises FileNotFoundError where there is no `nft`."""

    def __init__(self) -> None:
        self._is_loaded = False

    def silence(self, *addresses: str) -> None:
        """Nothing these addresses say arrives any more."""
        self._change("add", addresses)

    def let_speak(self, *addresses: str) -> None:
        self._change("delete", addresses)

    def separate(self, site: str, host: str) -> None:
        """Between these two IPv4 addresses nothing passes, either way."""
        self._run(f"add element {_TABLE} apart {{ {site} . {host} }}")

    def join(self, site: str, host: str) -> None:
        self._run(f"delete element {_TABLE} apart {{ {site} . {host} }}")

    def cut(self, client: str, port: int) -> None:
        """Between a client's IPv4 address and a TCP port here nothing passes, and nobody is told."""
        self._run(f"add element {_TABLE} cut {{ {client} . {port} }}")

    def mend(self, client: str, port: int) -> None:
        self._run(f"delete element {_TABLE} cut {{ {client} . {port} }}")

    def lose(self, client: str, port: int, loss_pct: int) -> None:
        """So many of a client's packets to a TCP port here are lost, each by itself."""
        self._run(f"add rule {_TABLE} lossy ip saddr {client} tcp dport {port} numgen random mod 100 < {loss_pct} drop")

    def translate(self, client: str, outside: str) -> None:
        """What a client connects to here sees it come from another address, at which it cannot be reached."""
        self._run(f"add rule {_TABLE} translated ip saddr {client} snat ip to {outside}")

    def close(self) -> None:
        if self._is_loaded:
            self._run(f"delete table {_TABLE}")
            self._is_loaded = False

    def _change(self, verb: str, addresses: tuple[str, ...]) -> None:
        by_set: dict[str, list[str]] = {}
        for address in addresses:
            by_set.setdefault(f"mute{ipaddress.ip_address(address).version}", []).append(address)
        for name, members in by_set.items():
            self._run(f"{verb} element {_TABLE} {name} {{ {', '.join(members)} }}")

    def _run(self, command: str) -> None:
        if not self._is_loaded:
            self._is_loaded = True
            self._run(_RULES)
        done = subprocess.run(["nft", "-f", "-"], input=command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise AssertionError(f"nft refuses {command!r}: {done.stderr.strip()}")
