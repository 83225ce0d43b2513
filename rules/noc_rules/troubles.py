"""The NOC's own troubles, each an incident of its own kind once it lasts: services, clocks, what expires, what is not taken.

Of what nobody can say now, nothing is concluded: an incident about it stays open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from noc_bus.messages import Incident, ServicePresence
from noc_bus.time import WRONG_CLOCK_MS, Time
from noc_rules import incident as make
from noc_rules.correlate import IncidentChange, Why
from noc_rules.expiry import ExpiryCode
from noc_rules.incident import About, CauseCode, IncidentKind
from noc_rules.uptime import duration

LASTS_S: Final = 120.0
"""A store, or a service, that is started again is away for less."""
NOT_TAKEN_S: Final = 600.0
"""A mail server that puts off whom it does not know takes the second or third try, minutes later."""
KINDS: Final = frozenset({"service", "away", "expiry", "clock", "notices"})
"""Of abouts, that are about a trouble."""
CENTRAL: Final = {
    "recorder": "nothing is stored until it is back; sites keep what they measure",
    "web": "nobody can look or change anything until it is back; outages are noticed and mailed all the same",
}
"""The services that are always to be there, and what it means when one is not."""
_MIDDLE: Final = "middle"


@dataclass(frozen=True)
class Trouble:
    """Something that is wrong now."""

    kind: IncidentKind
    code: str
    cause: str
    after_s: float = LASTS_S
    """For how long it has to last."""
    site: str | None = None


@dataclass(frozen=True)
class NotTaken:
    """Notices of one kind that wait because nobody takes them."""

    since: Time
    """When the oldest of them was queued."""
    count: int
    error: str


def of_services(services: Mapping[str, ServicePresence]) -> dict[About, Trouble | None]:
    """What the central services say of themselves, and whether they are there. None: it is well."""
    found: dict[About, Trouble | None] = {}
    for name, one in services.items():
        if name in CENTRAL:
            cause = f"the {_called(name)} is away: {CENTRAL[name]}"
            away = Trouble(IncidentKind.SERVICE_AWAY, CauseCode.AWAY, cause)
            found[About("away", name)] = None if one.online else away
        if not one.online or name == "alerter":
            # Who is gone has not recovered. What keeps the alerter from telling people is on every page.
            continue
        expires = one.code in set(ExpiryCode)
        sentence = one.trouble
        said = Trouble(IncidentKind.SERVICE_TROUBLE, CauseCode.SERVICE_TROUBLE, f"the {_called(name)} says: {sentence}")
        found[make.of_service(name)] = said if sentence and not expires else None
        for code in ExpiryCode:
            # Each stage is told of anew.
            is_now = bool(sentence) and one.code == code
            found[About("expiry", f"{name} {code}")] = (
                Trouble(IncidentKind.EXPIRING, code, str(sentence)) if is_now else None
            )
    return found


def of_clocks(ahead_ms: Mapping[str, float | None]) -> dict[About, Trouble | None]:
    """How far each site's clock is ahead of ours; None: nobody knows. All alike: ours is wrong."""
    known = {site: found for site, found in ahead_ms.items() if found is not None}
    if not known:
        return {}
    is_ours = (
        len(known) > 1
        and min(map(abs, known.values())) > WRONG_CLOCK_MS
        and max(known.values()) - min(known.values()) <= WRONG_CLOCK_MS
    )
    middle = About("clock", _MIDDLE)
    if is_ours:
        cause = (
            f"the clock of this server is {_off(-max(known.values()))} those of all {len(known)} sites: set it right"
        )
        return {middle: Trouble(IncidentKind.CLOCK_WRONG, CauseCode.CLOCK_WRONG, cause)} | {
            About("clock", f"site {site}"): None for site in known
        }
    found: dict[About, Trouble | None] = {middle: None}
    for site, off_ms in known.items():
        cause = f"the clock of site {site} is {_off(off_ms)} this server's: set it right, times from there are wrong until then"
        wrong = Trouble(IncidentKind.CLOCK_WRONG, CauseCode.CLOCK_WRONG, cause, site=site)
        found[About("clock", f"site {site}")] = wrong if abs(off_ms) > WRONG_CLOCK_MS else None
    return found


def of_notices(mails: NotTaken | None, channels: NotTaken | None, now: Time) -> dict[About, Trouble | None]:
    """What is queued and not taken. People are told of it by the other way. `channels`: webhooks, and what Apprise reaches."""
    found: dict[About, Trouble | None] = {}
    for name, words, code, one in (
        ("mails", ("mail", "mails"), CauseCode.MAIL_REFUSED, mails),
        ("webhooks", ("message to a channel", "messages to channels"), CauseCode.WEBHOOK_REFUSED, channels),
    ):
        trouble = None
        if one is not None and now - one.since >= NOT_TAKEN_S * 1000:
            what = f"{one.count:,} {words[one.count != 1]}"
            trouble = Trouble(IncidentKind.NOTICES_REFUSED, code, f"{what} not taken: {one.error}", after_s=0.0)
        found[About("notices", name)] = trouble
    return found


def step(
    about: About,
    trouble: Trouble | None,
    since: Time,
    for_s: float,
    found: Incident | None,
    others: Iterable[About],
    now: Time,
) -> IncidentChange | None:
    """What it means for the incident about it. `found`: the open one; `others`: what else is wrong now."""
    if trouble is None:
        if found is None:
            return None
        is_next_stage = about.kind == "expiry" and any(
            one.kind == "expiry" and one.name.split()[0] == about.name.split()[0] for one in others
        )
        why, text = Why.SERVICE_RECOVERED, _ENDS.get(about.kind, f"the {_called(about.name)} works again")
        if is_next_stage:
            why, text = Why.NEXT_STAGE, "it is closer now, which is told as an incident of its own"
        ended = replace(found, resolved_at=Time(max(now, found.opened_at)))
        return IncidentChange(why, ended, (about,), text)
    if found is not None or for_s < trouble.after_s:
        return None
    if trouble.site is not None:
        opened = make.about_site(trouble.kind, CauseCode(trouble.code), trouble.site, trouble.cause[:500], since, now)
    else:
        opened = make.about_middle(
            trouble.kind, trouble.code, f"{about.kind}-{about.name}", trouble.cause[:500], since, now
        )
    return IncidentChange(Why.SERVICE_HAS_TROUBLE, opened, (about,))


_ENDS: Final = {
    "away": "it is there again",
    "clock": "the clock is right again",
    "expiry": "nothing is about to expire any more",
    "notices": "what waited was taken, or is no longer to be told",
}


def _off(ahead_ms: float) -> str:
    return f"{duration(abs(ahead_ms))} {'ahead of' if ahead_ms > 0 else 'behind'}"


def _called(service: str) -> str:
    return "web service" if service == "web" else service
