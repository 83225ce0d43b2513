"""The NOC's own troubles: what is one, from when on, and when it is over."""

from __future__ import annotations

from typing import Any

import pytest

from noc_bus.messages import ServicePresence
from noc_bus.time import Time
from noc_rules import troubles
from noc_rules.correlate import Why
from noc_rules.incident import About, severity
from noc_rules.troubles import LASTS_S, NOT_TAKEN_S, NotTaken, Trouble

T0 = Time.parse("2026-11-24T12:00:00.000Z")
STORE = "the store refuses: no space left"


def services(**fields: Any) -> dict[str, ServicePresence]:
    one = ServicePresence(**{"service": "recorder", "online": True, **fields})
    return {one.service: one}


def wrong(found: dict[About, Trouble | None]) -> dict[str, str]:
    """The code of what is wrong, by what it is about."""
    return {f"{about.kind} {about.name}": str(one.code) for about, one in found.items() if one is not None}


@pytest.mark.parametrize(
    ("presence", "expected"),
    [
        pytest.param({}, {}, id="all is well"),
        pytest.param({"trouble": STORE}, {"service recorder": "service-trouble"}, id="its store refuses"),
        pytest.param({"online": False}, {"away recorder": "away"}, id="it is away"),
        pytest.param({"service": "alerter", "trouble": "no mail"}, {}, id="the alerter's own is on every page"),
        pytest.param({"service": "alerter", "online": False}, {}, id="nor does it miss itself"),
        pytest.param({"service": "plugin", "online": False}, {}, id="what nobody promised may go"),
        pytest.param(
            {"service": "web", "trouble": "the certificate expires", "code": "expires-in-7-days"},
            {"expiry web expires-in-7-days": "expires-in-7-days"},
            id="something expires",
        ),
        pytest.param({"code": "no-mail"}, {}, id="a code without a sentence"),
    ],
)
def test_what_a_service_says_of_itself(presence: dict[str, Any], expected: dict[str, str]) -> None:
    assert wrong(troubles.of_services(services(**presence))) == expected


def test_who_is_gone_has_not_recovered() -> None:
    assert About("service", "recorder") not in troubles.of_services(services(online=False))
    assert troubles.of_services(services())[About("service", "recorder")] is None


@pytest.mark.parametrize(
    ("ahead_ms", "expected"),
    [
        pytest.param({"a": 0, "b": 2000}, {}, id="two seconds are no difference"),
        pytest.param({"a": 0, "b": 2100}, {"clock site b": "clock-wrong"}, id="one is ahead"),
        pytest.param({"a": -9000.0, "b": 0}, {"clock site a": "clock-wrong"}, id="one is behind"),
        pytest.param({"a": 60_000}, {"clock site a": "clock-wrong"}, id="a single one"),
        pytest.param({"a": 60_000, "b": 61_000}, {"clock middle": "clock-wrong"}, id="all alike: ours is wrong"),
        pytest.param(
            {"a": 60_000, "b": 61_000, "c": None}, {"clock middle": "clock-wrong"}, id="of all that are known"
        ),
        pytest.param(
            {"a": 60_000, "b": -60_000},
            {"clock site a": "clock-wrong", "clock site b": "clock-wrong"},
            id="each its own",
        ),
        pytest.param({"a": None}, {}, id="nobody knows"),
    ],
)
def test_whose_clock_is_wrong(ahead_ms: dict[str, float | None], expected: dict[str, str]) -> None:
    found = troubles.of_clocks(ahead_ms)
    assert wrong(found) == expected
    assert (About("clock", "site a") in found) == (ahead_ms["a"] is not None), "of an unknown clock nothing is said"


def test_a_wrong_clock_says_whose_how_much_and_which_way() -> None:
    site = troubles.of_clocks({"paris": -192_000, "lyon": 0})[About("clock", "site paris")]
    ours = troubles.of_clocks({"paris": -192_000, "lyon": -192_500})[About("clock", "middle")]
    assert site is not None
    assert ours is not None
    assert site.cause.startswith("the clock of site paris is 3 min 12 s behind this server's")
    assert ours.cause.startswith("the clock of this server is 3 min 12 s ahead of those of all 2 sites")


@pytest.mark.parametrize(("waits_s", "is_wrong"), [(NOT_TAKEN_S - 1, False), (NOT_TAKEN_S, True)])
def test_what_is_not_taken_for_ten_minutes(waits_s: float, is_wrong: bool) -> None:
    since = NotTaken(Time(T0 - round(waits_s * 1000)), 3, "451 later")
    found = troubles.of_notices(since, None, T0)
    assert wrong(found) == ({"notices mails": "mail-refused"} if is_wrong else {})
    assert wrong(troubles.of_notices(None, since, T0)) == ({"notices webhooks": "webhook-refused"} if is_wrong else {})


def test_what_is_not_taken_is_counted_by_its_own_word() -> None:
    long_ago = Time(T0 - 3_600_000)
    found = troubles.of_notices(NotTaken(long_ago, 1, "451 later"), NotTaken(long_ago, 2, "500 no"), T0)
    assert [one.cause for one in found.values() if one] == [
        "1 mail not taken: 451 later",
        "2 messages to channels not taken: 500 no",
    ]


RECORDER = About("service", "recorder")


@pytest.mark.parametrize(
    ("trouble", "for_s", "is_open", "expected"),
    [
        pytest.param(STORE, LASTS_S - 1, False, None, id="it may be short"),
        pytest.param(STORE, LASTS_S, False, Why.SERVICE_HAS_TROUBLE, id="it lasts"),
        pytest.param(STORE, 900.0, True, None, id="it is told already"),
        pytest.param(None, 0.0, True, Why.SERVICE_RECOVERED, id="it works again"),
        pytest.param(None, 0.0, False, None, id="it always worked"),
    ],
)
def test_a_trouble_is_an_incident_once_it_lasts(
    trouble: str | None, for_s: float, is_open: bool, expected: Why | None
) -> None:
    is_wrong = troubles.of_services(services(trouble=STORE))[RECORDER]
    made = troubles.step(RECORDER, is_wrong, T0, LASTS_S, None, (), T0)
    assert made is not None
    now = troubles.of_services(services(trouble=trouble))[RECORDER]
    step = troubles.step(RECORDER, now, T0, for_s, made.incident if is_open else None, (), Time(T0 + 1))
    assert (step.why if step else None) is expected
    if step:
        assert step.about == (RECORDER,)
        assert STORE in step.incident.cause


def test_what_expires_is_told_of_at_each_stage_and_its_end_once() -> None:
    thirty, seven = (About("expiry", f"web expires-in-{days}-days") for days in (30, 7))
    wrong = {
        about: troubles.of_services(services(service="web", trouble="it expires", code=about.name.split()[1]))[about]
        for about in (thirty, seven)
    }
    first = troubles.step(thirty, wrong[thirty], T0, LASTS_S, None, [thirty], T0)
    assert first is not None
    assert (first.incident.kind, severity(first.incident)) == ("expiring", "minor")
    replaced = troubles.step(thirty, None, T0, 0, first.incident, [seven], T0)
    assert replaced is not None
    assert (replaced.why, replaced.is_mailed) == (Why.NEXT_STAGE, False)
    mended = troubles.step(thirty, None, T0, 0, first.incident, [About("expiry", "recorder expired")], T0)
    assert mended is not None
    assert (mended.why, mended.is_mailed) == (Why.SERVICE_RECOVERED, True)
