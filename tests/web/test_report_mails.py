"""Reports by mail: due once in each recipient's time zone, kept until the alerter has them, and what they say."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest

from noc_bus.channels import REPORT_MAIL_ANSWERS, REPORT_MAILS
from noc_bus.messages import ReportMail, ReportMailAnswer, State
from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_history.store import Batch
from noc_web.notifications.kept import Notifications
from noc_web.problem import ProblemError
from noc_web.reportmails import ReportMails, Schedule
from tests.web.conftest import Service
from tests.web.facts import result, state

MIDNIGHT: Final = Time(Time.now() // DAY_MS * DAY_MS)
NOON: Final = Time(MIDNIGHT + 12 * HOUR_MS)
YESTERDAY: Final = Time(MIDNIGHT - DAY_MS)
DAILY: Final = {"every": "day", "recipients": [{"address": "ops@noc.test"}], "group": "core"}


@pytest.fixture
def told(service: Service) -> tuple[Service, list[ReportMail]]:
    """Yesterday at noon a was down for 40 ms; what is asked of the alerter."""
    service.catalog.add_target(
        {"id": "a", "name": "Core <router>", "address": "10.0.0.1", "group": "core", "tags": ["edge"]}, "test"
    )
    service.follow()
    noon = YESTERDAY + 12 * HOUR_MS
    service.store.write(
        Batch(
            states=[
                state(at=YESTERDAY - HOUR_MS, seq=1),
                state(kind=State.DOWN, at=noon, seq=2, reason="no answer", code="unanswered"),
                state(at=noon + 40, seq=3),
            ],
            # The last one proves nothing but that somebody looked.
            results=[
                result("a", at=noon, sent=10, received=8, rtts_ms=[2.0] * 5 + [3.0] * 3),
                result("a", at=MIDNIGHT - 1000, seq=99, received=0, rtts_ms=[], invalid="late"),
            ],
        )
    )
    service.store.maintain(Time(0), 5.0)
    asked: list[ReportMail] = []
    service.others.subscribe(REPORT_MAILS, lambda report, _: asked.append(report) if report else None)
    return service, asked


def answer(service: Service, report: ReportMail) -> None:
    service.others.publish(REPORT_MAIL_ANSWERS, ReportMailAnswer(report=report.report, at=Time.now()))


def test_a_report_that_is_due_is_written_once_and_said_until_it_is_answered(
    told: tuple[Service, list[ReportMail]],
) -> None:
    service, asked = told
    mails = service.report_mails
    mails.put("daily", msgspec.convert(DAILY, Schedule), NOON)
    due = Time(MIDNIGHT + DAY_MS + 7 * HOUR_MS)
    mails.tick(Time(due - 1))
    assert asked == []
    mails.tick(due)
    mails.tick(due)
    assert [one.to for one in asked] == [["ops@noc.test"]]
    service.passed_s += 31
    mails.tick(due)
    assert [one.report for one in asked] == [asked[0].report] * 2
    # Another process, on the same database: nothing of it is lost, and nothing written again.
    kept = Notifications(service.database)
    again = ReportMails(service.database, service.bus, service.reports, mails._calendars, kept, title="", public_url="")
    again.tick(due)
    assert asked[2] == asked[0]
    answer(service, asked[0])
    service.passed_s += 31
    for one in (mails, again):
        one.tick(due)
    assert len(asked) == 3
    mails.tick(Time(due + DAY_MS))
    assert len({one.report for one in asked}) == 2


def test_each_time_zone_has_its_own_period_and_its_own_mail(told: tuple[Service, list[ReportMail]]) -> None:
    service, asked = told
    there = [{"address": f"{name}@noc.test", "zone": "Pacific/Auckland"} for name in ("kiri", "tane")]
    both = DAILY | {"recipients": [{"address": "ops@noc.test"}, *there], "hour": 0}
    service.report_mails.put("both", msgspec.convert(both, Schedule), NOON)
    hours: dict[tuple[str, ...], list[int]] = {}
    for hour in range(49):
        before = len(asked)
        service.report_mails.tick(Time(NOON + hour * HOUR_MS))
        for one in asked[before:]:
            hours.setdefault(tuple(one.to), []).append(hour)
    assert hours["ops@noc.test",] == [12, 36]
    assert not {12, 36} & {*hours["kiri@noc.test", "tane@noc.test"]}
    assert len(hours["kiri@noc.test", "tane@noc.test"]) == 2
    assert len(asked) == len({one.report for one in asked}) == 4


def test_the_mail_has_the_figures_of_the_report_and_rounds_no_uptime_to_a_hundred(
    told: tuple[Service, list[ReportMail]],
) -> None:
    service, asked = told
    operator = service.by("operator")
    operator.api("PUT", "calendars/always", {"goal_pct": 99.9})
    operator.api("PUT", "report-mails/daily", DAILY | {"title": "Board", "calendar": "always", "tag": "edge"})
    operator.api("POST", "report-mails/daily/send", status=204)
    service.report_mails.tick(NOON)
    (mail,) = asked
    day = f"{YESTERDAY.datetime():%A, %Y-%m-%d}"
    assert mail.subject == f"Board: {day}"
    for part in (mail.text, mail.html):
        for said in (
            "99.999 %",
            "tag edge",
            "Error budget left",
            "goal 99.900 %",
            "calendar always",
            day,
        ):
            assert said in part
        for said in ("Coverage", "Loss", "20.00 %", "Median", "2.0 ms", "95th percentile 3.0 ms"):
            assert said in part
    (line,) = [one for one in mail.text.splitlines() if "Core <router>: 9" in one]
    assert line.split(": ")[1].split(", ")[1] == "100 %", "how much was measured, beside the percentage"
    assert line.endswith("20.00 %, 2.0 ms, 3.0 ms, 1 min 26 s")
    assert "1 min 26 s" in mail.text
    assert "1\u00a0min\u00a026\u00a0s" in mail.html, "no line ends within it"
    assert "Core <router>" in mail.text
    assert "Core &lt;router&gt;" in mail.html
    period = f"from={int(YESTERDAY)}&to={int(MIDNIGHT)}"
    assert f"https://noc.test/reports?{period}&group=core&tag=edge&calendar=always" in mail.text
    kept = operator.api("GET", "report-mails")["report_mails"]
    assert [(one["name"], one["waiting"]) for one in kept] == [("daily", 1)]
    refused = operator.api("DELETE", "calendars/always", status=409)
    assert "The report by mail daily names this calendar; change that first." in str(refused)
    operator.api("DELETE", "report-mails/daily", status=204)
    operator.api("DELETE", "calendars/always", status=204)
    assert operator.api("GET", "report-mails") == {"report_mails": []}


def test_a_contact_gets_a_report_at_every_address_by_its_own_clock(told: tuple[Service, list[ReportMail]]) -> None:
    service, asked = told
    admin = service.by("admin")
    addresses = [f"kiri{n}@noc.test" for n in range(60)]
    team = {"name": "Kiri", "zone": "Asia/Kolkata"}
    for n in range(3):
        admin.api("PUT", f"contacts/kiri-{n}", team | {"mails": addresses[20 * n : 20 * (n + 1)]})
    recipients = [
        {"address": "ops@noc.test"},
        *({"address": f"kiri-{n}"} for n in range(3)),
        {"address": "kiri0@noc.test", "zone": "Asia/Kolkata"},
    ]
    service.report_mails.put("daily", msgspec.convert(DAILY | {"recipients": recipients, "hour": 0}, Schedule), NOON)
    service.report_mails.tick(Time(NOON + 12 * HOUR_MS - 1))
    # More than one message has room for.
    assert [len(one.to) for one in asked] == [50, 10]
    assert [to for one in asked for to in one.to] == addresses
    assert len({one.report for one in asked}) == 2
    refused = admin.api("DELETE", "contacts/kiri-1", status=409)
    assert "kiri-1 is told by the report daily; change those first." in str(refused)
    # Who has moved gets it by the new clock; who has no address any more gets none.
    for n in range(3):
        admin.api("PUT", f"contacts/kiri-{n}", team | {"zone": "UTC", "mails": addresses[:1] if n else []})
    service.report_mails.tick(Time(NOON + 12 * HOUR_MS))
    (both,) = asked[2:]
    assert both.to == ["ops@noc.test", "kiri0@noc.test"]


@pytest.mark.parametrize(
    ("path", "changes", "sentence"),
    [
        (
            "report-mails/daily",
            {"recipients": [{"address": "nobody"}]},
            "recipients: 'nobody' is not accepted; use a mail address like ops@example.org, or the id of a contact",
        ),
        ("report-mails/daily", {"recipients": [{"address": "no body"}]}, "'no body' is not accepted; use a mail"),
        ("report-mails/daily", {"recipients": [{"address": "hook"}]}, "the contact hook has no mail address"),
        ("report-mails/daily", {"recipients": []}, "recipients"),
        ("report-mails/daily", {"zone": "Mars/Base"}, "zone: 'Mars/Base' is not accepted; use the name of a time zone"),
        ("report-mails/daily", {"calendar": "office"}, "calendar: there is no 'office'; use none"),
        ("report-mails/daily", {"every": "year"}, "every"),
        ("report-mails/daily", {"group": "core//x"}, "group: 'core//x' is not accepted; use a path of names"),
        ("report-mails/daily", {"tag": "Edge"}, "tag: 'Edge' is not accepted; use lower-case letters"),
        ("report-mails/daily", {"hour": 24}, "hour"),
        ("report-mails/daily", {"profile": "kind"}, "profile: 'kind' is not accepted; use standard or"),
        ("report-mails/A%20day", {}, "report: 'A day' is not accepted; use lower-case letters"),
    ],
)
def test_what_is_no_report_by_mail_is_refused_in_a_sentence(
    service: Service, path: str, changes: dict[str, Any], sentence: str
) -> None:
    service.by("admin").api("PUT", "contacts/hook", {"name": "Hook", "webhook_url": "https://198.51.100.1/"})
    assert sentence in str(service.by("operator").api("PUT", path, DAILY | changes, status=422))


def test_a_report_by_mail_that_nobody_has_set_is_not_found(service: Service) -> None:
    operator = service.by("operator")
    operator.api("DELETE", "report-mails/daily", status=404)
    operator.api("POST", "report-mails/daily/send", status=404)


def test_what_one_report_fails_at_keeps_no_other_from_being_sent(told: tuple[Service, list[ReportMail]]) -> None:
    service, asked = told
    mails = service.report_mails
    service.by("operator").api("PUT", "calendars/office", {"hours": "Mon-Sun 08:00-18:00"})
    mails.put("a-first", msgspec.convert(DAILY | {"calendar": "office"}, Schedule), NOON)
    mails.put("second", msgspec.convert(DAILY, Schedule), NOON)
    with service.database.begin() as connection:
        # Deleted in the moment in which it was chosen, and a zone that nobody is in any more.
        connection.execute("DELETE FROM calendar")
        connection.execute("INSERT INTO report_due VALUES ('second', 'Asia/Tokyo', 0)")
    due = Time(MIDNIGHT + DAY_MS + 7 * HOUR_MS)
    with pytest.raises(ProblemError, match="there is no 'office'"):
        mails.tick(due)
    assert [one.report.startswith("second-") for one in asked] == [True]
