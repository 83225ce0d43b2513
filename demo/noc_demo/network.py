"""The simulated company: where its sites and hosts are, what they are called, and which routers lie between."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

DOMAIN: Final = "nordwind.example"
CONTACT: Final = f"noc@{DOMAIN}"

# Kilometres east and north of Frankfurt.
_PLACES: Final[dict[str, tuple[float, float]]] = {
    "frankfurt": (0, 0),
    "berlin": (330, 270),
    "vienna": (560, -200),
    "stuttgart": (40, -150),
    "hamburg": (100, 390),
    "munich": (210, -220),
    "ruegen": (350, 480),
    "dublin": (-1080, 370),
    "internet": (-320, 180),
}
# Light in glass, there and back, along cables that are longer than the straight line.
_MS_PER_KM: Final = 0.016
_LOCAL_MS: Final = 0.4


@dataclass(frozen=True)
class ProbingSite:
    """A place with a prober. `number` is part of its addresses."""

    id: str
    label: str
    location: str
    number: int

    @property
    def own(self) -> list[str]:
        """Its addresses, with the networks that it reaches through its one device."""
        return [
            f"10.255.{self.number}.2/8",
            f"198.51.100.{self.number}/24",
            f"203.0.113.{self.number}/24",
            f"2001:db8:ff:{self.number}::2/32",
        ]


SITES: Final = (
    ProbingSite("frankfurt", "Frankfurt data centre", "Hanauer Landstraße, Frankfurt", 1),
    ProbingSite("berlin", "Berlin head office", "Invalidenstraße, Berlin", 2),
    ProbingSite("vienna", "Vienna office", "Praterstraße, Vienna", 3),
)
ANCHORS: Final = ("10.0.1.1", "10.0.2.1", "10.0.3.1")
"""The core routers: a site that hears none of them has no network."""


@dataclass(frozen=True)
class Router:
    """What a trace shows on the way."""

    name: str
    address: str
    address6: str


ROUTERS: Final = {
    name: Router(f"{name}.{DOMAIN}", f"10.0.{number}.{host}", f"2001:db8:0:{number}::{host}")
    for name, number, host in (
        ("core-frankfurt", 1, 1),
        ("core-berlin", 2, 1),
        ("core-vienna", 3, 1),
        ("gw-frankfurt", 1, 254),
        ("gw-berlin", 2, 254),
        ("gw-vienna", 3, 254),
        ("border-frankfurt", 1, 2),
        ("transit-prague", 4, 1),
        ("transit-zurich", 4, 2),
        ("stuttgart-router", 11, 1),
        ("hamburg-router", 12, 1),
        ("munich-router", 13, 1),
        ("ruegen-radio", 14, 1),
        ("cloud-gateway", 20, 1),
    )
}
RATE_LIMITED: Final = "border-frankfurt"
"""It answers one ping a second from each site, and says one thing a second about what dies in it."""
_BEHIND: Final = {
    "stuttgart": ("core-frankfurt", "stuttgart-router"),
    "hamburg": ("core-frankfurt", "hamburg-router"),
    "munich": ("core-frankfurt", "munich-router"),
    "ruegen": ("core-berlin", "ruegen-radio"),
    "dublin": ("core-frankfurt", "border-frankfurt", "cloud-gateway"),
    "internet": ("core-frankfurt", "border-frankfurt"),
    "frankfurt": ("core-frankfurt",),
    "berlin": ("core-berlin",),
    "vienna": ("core-vienna",),
}


@dataclass(frozen=True)
class Host:
    """A target, and how it is when nothing is wrong. `options` are its own, as the catalogue takes them."""

    id: str
    name: str
    place: str
    address: str
    group: str
    host_name: str = ""
    """What is pinged where it has one; its address is then for the name server to tell."""
    jitter_ms: float = 0.3
    tail_ms: float = 0.3
    loss_pct: float = 0.02
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def pinged(self) -> str:
        return self.host_name or self.address

    def definition(self) -> dict[str, Any]:
        """For the API. The script begins again every ten minutes, which is not to be called flapping."""
        own = {"id": self.id, "name": self.name, "address": self.pinged, "group": self.group, "flap_after": 0}
        return {**own, **self.options}


def _branch(place: str, label: str, number: int, hosts: tuple[tuple[str, str, str], ...]) -> list[Host]:
    """A branch: its router, and what is behind it. `hosts`: id, name and tag of each."""
    router = f"{place}-router"
    group = f"branches/{place}"
    found = [
        Host(
            router, f"{label} router", place, f"10.0.{number}.1", group, tail_ms=0.5,
            options={"interval_s": 2, "packets": 3, "parents": ["core-frankfurt"], "tags": ["router"], "note": f"The only way to {label}. Provider: Alster Netz, contract 4711-{number}."},
        )
    ]  # fmt: skip
    for last, (kind, name, tag) in enumerate(hosts, start=10):
        is_radio = tag == "wifi"
        found.append(
            Host(
                f"{place}-{kind}", f"{label} {name}", place, f"10.{number}.1.{last}", group,
                jitter_ms=2.5 if is_radio else 0.4, tail_ms=1.5 if is_radio else 0.4, loss_pct=0.2 if is_radio else 0.02,
                options={"parents": [router], "tags": [tag]},
            )
        )  # fmt: skip
    return found


HOSTS: Final = (
    Host("core-frankfurt", "Core router Frankfurt", "frankfurt", "10.0.1.1", "core", options={"critical": True, "tags": ["router"], "note": "Two power feeds, A and B. Console: 10.0.1.250."}),
    Host("core-berlin", "Core router Berlin", "berlin", "10.0.2.1", "core", options={"critical": True, "tags": ["router"]}),
    Host("core-vienna", "Core router Vienna", "vienna", "10.0.3.1", "core", options={"critical": True, "tags": ["router"]}),
    Host(
        RATE_LIMITED, "Border router Frankfurt", "frankfurt", "10.0.1.2", "core", tail_ms=0.8,
        options={"tags": ["router", "rate-limited"], "packets": 3, "packet_gap_ms": 1200, "parents": ["core-frankfurt"],
                 "note": "Answers one ping a second, so it is asked slowly: faster, most of its silence would be its own limit."},
    ),
    Host("firewall", "Firewall Frankfurt", "frankfurt", "10.0.1.3", "core", options={"critical": True, "parents": ["core-frankfurt"], "tags": ["security"]}),
    *_branch("stuttgart", "Stuttgart", 11, (
        ("switch", "switch", "switch"), ("files", "file server", "server"), ("printer", "printer", "printer"),
        ("ap-1", "access point 1", "wifi"), ("ap-2", "access point 2", "wifi"),
    )),
    *_branch("hamburg", "Hamburg", 12, (
        ("switch", "switch", "switch"), ("files", "file server", "server"), ("scanner", "dock scanner", "iot"),
        ("ap-1", "access point 1", "wifi"), ("ap-2", "access point 2", "wifi"),
    )),
    *_branch("munich", "Munich", 13, (
        ("switch", "switch", "switch"), ("files", "file server", "server"), ("camera", "gate camera", "iot"),
        ("ap-1", "access point 1", "wifi"),
    )),
    Host(
        "ruegen-radio", "Rügen radio link", "ruegen", "10.0.14.1", "branches/ruegen", jitter_ms=9, tail_ms=6, loss_pct=4,
        options={"parents": ["core-berlin"], "tags": ["radio"], "degraded_loss_pct": 30, "note": "60 GHz over water: a few percent of loss are its nature, more in rain."},
    ),
    Host(
        "ruegen-weather", "Rügen weather station", "ruegen", "10.14.1.10", "branches/ruegen", jitter_ms=10, tail_ms=6, loss_pct=4,
        options={"parents": ["ruegen-radio"], "tags": ["iot"], "degraded_loss_pct": 30},
    ),
    Host("web-1", "Web server 1", "frankfurt", "10.1.2.11", "servers/web", f"web-1.{DOMAIN}", options={"tags": ["server"], "parents": ["core-frankfurt"]}),
    Host("web-2", "Web server 2", "frankfurt", "10.1.2.12", "servers/web", f"web-2.{DOMAIN}", options={"tags": ["server"], "parents": ["core-frankfurt"]}),
    Host(
        "shop", "Web shop", "frankfurt", "10.1.2.10", "servers/web", f"shop.{DOMAIN}",
        options={"tags": ["server", "customers"], "critical": True, "parents": ["core-frankfurt"], "contacts": [f"shop-team@{DOMAIN}", CONTACT]},
    ),
    Host("db-1", "Database 1", "frankfurt", "10.1.3.11", "servers/database", options={"tags": ["server"], "critical": True, "parents": ["core-frankfurt"]}),
    Host("db-2", "Database 2", "berlin", "10.2.3.12", "servers/database", options={"tags": ["server"], "parents": ["core-berlin"]}),
    Host("mail", "Mail server", "berlin", "10.2.2.25", "servers/office", f"mail.{DOMAIN}", options={"tags": ["server"], "critical": True, "parents": ["core-berlin"]}),
    Host("intranet", "Intranet", "berlin", "10.2.2.80", "servers/office", f"intranet.{DOMAIN}", options={"tags": ["server"], "parents": ["core-berlin"], "note": "Restarts itself on Sundays at 04:00."}),
    Host("backup", "Backup store", "vienna", "10.3.2.20", "servers/office", options={"tags": ["server"], "parents": ["core-vienna"]}),
    Host("ns-1", "Name server 1", "frankfurt", "2001:db8:1::53", "servers/dns", options={"tags": ["dns"], "critical": True, "parents": ["core-frankfurt"]}),
    Host("ns-2", "Name server 2", "vienna", "2001:db8:3::53", "servers/dns", options={"tags": ["dns"], "parents": ["core-vienna"]}),
    Host("cloud-gateway", "Cloud gateway Dublin", "dublin", "10.0.20.1", "cloud/dublin", tail_ms=1.2, options={"tags": ["router"], "parents": ["border-frankfurt"]}),
    Host("cloud-api", "Cloud API", "dublin", "2001:db8:20::a1", "cloud/dublin", f"api.cloud.{DOMAIN}", tail_ms=1.5, options={"tags": ["server", "customers"], "family": "6", "parents": ["cloud-gateway"]}),
    Host("cloud-worker", "Cloud worker", "dublin", "10.20.1.11", "cloud/dublin", tail_ms=1.5, options={"tags": ["server"], "parents": ["cloud-gateway"]}),
    Host("cloud-queue", "Cloud queue", "dublin", "10.20.1.12", "cloud/dublin", f"queue.cloud.{DOMAIN}", tail_ms=1.5, options={"tags": ["server"], "parents": ["cloud-gateway"]}),
    Host("bank", "Bank gateway", "internet", "198.51.100.77", "partners", jitter_ms=1.5, tail_ms=1.5, loss_pct=0.1, options={"tags": ["partner"], "critical": True, "parents": ["border-frankfurt"]}),
    Host("carrier", "Carrier portal", "internet", "203.0.113.80", "partners", "portal.carrier.example", jitter_ms=3, tail_ms=3, loss_pct=0.3, options={"tags": ["partner"], "parents": ["border-frankfurt"]}),
)  # fmt: skip
BY_ID: Final = {host.id: host for host in HOSTS}

GROUPS: Final[dict[str, dict[str, Any]]] = {
    "core": {"interval_s": 5},
    "servers": {"interval_s": 5},
    "branches": {"packets": 4},
    "cloud": {"degraded_rtt_ms": 80},
    "partners": {"degraded_rtt_ms": 80},
}


def distance_ms(site: str, place: str) -> float:
    """The round trip between two places with nothing in the way. Everything but a site's own surroundings goes through a core."""
    (east, north), (to_east, to_north) = _PLACES[site], _PLACES[place]
    return _LOCAL_MS + _MS_PER_KM * math.hypot(to_east - east, to_north - north)


def path(site: str, host: Host, *, detour: bool = False) -> list[Router]:
    """The routers between a site and a host, nearest first. `detour`: the way around through Zurich instead of Prague."""
    names = [f"gw-{site}", f"core-{site}"]
    for name in _BEHIND[host.place]:
        if name in names:
            continue
        if name.startswith("core-") and names[-1] == f"core-{site}" and {"vienna"} & {site, host.place}:
            names.append("transit-zurich" if detour else "transit-prague")
        names.append(name)
    return [ROUTERS[name] for name in names if ROUTERS[name].address != host.address]


def path_addresses(site: str, host: Host, *, detour: bool = False) -> list[str]:
    return [one.address6 if ":" in host.address else one.address for one in path(site, host, detour=detour)]


def names() -> dict[str, list[str]]:
    """What the simulated name server knows."""
    known = {router.name: [router.address, router.address6] for router in ROUTERS.values()}
    for host in HOSTS:
        known.setdefault(host.host_name or f"{host.id}.{DOMAIN}", []).append(host.address)
    return {name: list(dict.fromkeys(addresses)) for name, addresses in known.items()}
