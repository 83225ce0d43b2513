"""Keys of sites: made, used, expired, replaced, disabled, removed — in the table, in the files, over the API."""

from __future__ import annotations

import datetime as dt
import json
import ssl
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from noc_bus import join
from noc_bus.channels import FORGOTTEN, PROBERS, SITES, STATES
from noc_bus.render.accounts import rights_of
from noc_bus.render.rights import Rights
from noc_bus.time import Time
from noc_frame.sqlite import open_file, transaction
from noc_rules.expiry import Expiring, warning
from noc_web import cli
from noc_web.broker import authority, names
from noc_web.broker.__main__ import prepare, renew
from noc_web.broker.accounts import Arrangement, BrokerAccounts, Hashes
from noc_web.broker.authority import CertificatesOfSites
from noc_web.broker.files import BrokerFiles
from noc_web.database.opening import Database
from noc_web.database.schema import AS_BEFORE, LADDER
from noc_web.problem import ProblemError
from tests.web.conftest import Browser, Service
from tests.web.facts import presence, state

URL = "wss://192.0.2.9:8883"
DAY_MS = 24 * 3600 * 1000


@pytest.fixture
def listening(new_service: Callable[..., Service], tmp_path: Path) -> Service:
    """A web service beside a broker with a listener for sites."""
    service = new_service()
    folder = tmp_path / "broker"
    folder.mkdir()
    prepare(service.config.data, Arrangement(str(folder), urls=(URL,)), {"web": "w", "here": "h"}, ["192.0.2.9"])
    service.start()
    return service


def users(service: Service) -> set[str]:
    """Whom both brokers let in now."""
    folder = Path(service.broker_accounts.arrangement().folder)
    text = (folder / names.NATS).read_text().removeprefix("authorization: ")
    found = {user["user"] for user in json.loads(text)["users"]}
    lines = (folder / names.MOSQUITTO_USERS).read_text().splitlines()
    assert {line.partition(":")[0] for line in lines} == found
    return found


def test_a_site_and_its_key_are_there_at_once_and_the_secret_is_nowhere(listening: Service) -> None:
    answer = listening.by("admin").api("POST", "site-keys/paris", {"addresses": ["noc.example", "[2001:db8::1]:443"]})
    key = join.parse(answer["join"])
    assert key.urls == ("wss://noc.example:8883", "wss://[2001:db8::1]:443", URL)
    assert (key.site, answer["site"]) == ("paris", "paris")
    assert ssl.DER_cert_to_PEM_cert(key.authority) in (listening.config.data / authority.CERTIFICATE).read_text()
    assert users(listening) == {"web", "here", "paris"}
    assert [site.id for site in listening.hub.now(SITES)] == ["paris"]
    (listed,) = [one for one in listening.by("operator").get("site-keys")["site_keys"] if one["site"] == "paris"]
    assert (listed["used_at"], listed["disabled"], listed["expires_at"]) == (None, False, answer["expires_at"])
    everything = [file.read_bytes() for file in listening.config.data.parent.rglob("*") if file.is_file()]
    assert not any(key.secret.encode() in text for text in everything)
    acts = [(one["act"], one["subject"]) for one in listening.by("admin").get("audit")["audit"]]
    assert [act for act in acts if act[1] == "paris"] == [("create site key", "paris"), ("add site", "paris")]


def test_the_audit_says_of_a_key_whether_it_was_disabled_before(listening: Service) -> None:
    admin = listening.by("admin")
    admin.api("POST", "site-keys/paris", {})
    for _ in range(2):
        admin.api("PATCH", "site-keys/paris", {"disabled": True})
    acts = [one for one in admin.get("audit")["audit"] if one["act"] == "disable site key"]
    assert [one["before"] for one in acts] == [{"disabled": True}, {"disabled": False}]


def test_a_second_key_replaces_the_first_only_when_asked_for(listening: Service) -> None:
    admin = listening.by("admin")
    first = admin.api("POST", "site-keys/paris", {})["join"]
    assert admin.api("POST", "site-keys/paris", {}, status=409)["code"] == "exists"
    before = listening.broker_accounts.let_in(Time.now())
    second = admin.api("PUT", "site-keys/paris", {})["join"]
    assert first != second
    changed = {one.user for one in listening.broker_accounts.let_in(Time.now())} - {
        one.user for one in listening.broker_accounts.let_in(Time.now()) if one in before
    }
    assert changed == {"paris"}
    assert admin.api("PUT", "site-keys/rome", {}, status=404)["detail"] == "No site 'rome' is set up."


def test_a_disabled_site_is_let_in_no_more_until_it_is_enabled(listening: Service) -> None:
    admin = listening.by("admin")
    admin.api("POST", "site-keys/paris", {})
    admin.api("PATCH", "site-keys/paris", {"disabled": True}, status=204)
    assert users(listening) == {"web", "here"}
    admin.api("PATCH", "site-keys/paris", {"disabled": False}, status=204)
    assert users(listening) == {"web", "here", "paris"}
    assert admin.api("PATCH", "site-keys/rome", {"disabled": True}, status=404)["code"] == "not-found"


def test_a_disabled_site_is_shown_so_at_once_whatever_was_heard_of_it_last(listening: Service) -> None:
    """Mosquitto drops the will of a user it no longer knows: the site looked online for 35 s."""
    admin = listening.by("admin")
    admin.api("POST", "site-keys/paris", {})
    listening.others.publish(PROBERS, presence("paris", clock=Time.now(), address="192.0.2.7", host="probe-1"))
    listening.let_pass(1)
    listening.follow()
    (row,) = [one for one in admin.get("sites")["sites"] if one["id"] == "paris"]
    assert (row["online"], row["disabled"], row["address"], row["seen_at"]) == (True, False, "192.0.2.7", None)
    admin.api("PATCH", "site-keys/paris", {"disabled": True}, status=204)
    listening.follow()
    (row,) = [one for one in admin.get("sites")["sites"] if one["id"] == "paris"]
    assert (row["online"], row["disabled"]) == (False, True)
    assert row["seen_at"]
    assert [site.disabled for site in listening.hub.now(SITES)] == [True]
    admin.api("PUT", "sites/paris", {"label": "Paris"})
    assert [(site.label, site.disabled) for site in listening.hub.now(SITES)] == [("Paris", True)]
    admin.api("PUT", "site-keys/paris", {})
    listening.follow()
    assert [site.disabled for site in listening.hub.now(SITES)] == [False], "another key lets it in again"


def test_whether_a_site_is_disabled_is_no_affair_of_its_form(listening: Service) -> None:
    refused = listening.by("operator").api("POST", "sites", {"id": "rome", "disabled": True}, status=422)
    assert refused["errors"][0]["field"] == "disabled"


def test_a_site_whose_prober_starts_with_this_noc_has_no_key_for_others(listening: Service) -> None:
    admin = listening.by("admin")
    for method, body in (("POST", {}), ("PATCH", {"disabled": True})):
        assert admin.api(method, "site-keys/here", body, status=409)
    assert users(listening) == {"web", "here"}


def test_without_a_listener_nothing_is_made(service: Service) -> None:
    refused = service.by("admin").api("POST", "site-keys/paris", {}, status=409)
    assert refused["code"] == "no-listener"
    assert "start NOC with --listen ADDRESS" in refused["detail"]
    assert service.by("admin").get("sites")["sites"] == []


def test_an_address_that_cannot_be_one_is_refused(listening: Service) -> None:
    admin = listening.by("admin")
    for address in ("", "a b", "user@host", "host/path", "host:port", "host:99999", "::1:x"):
        refused = admin.api("POST", "site-keys/paris", {"addresses": [address]}, status=422)
        assert refused["errors"][0]["field"] == "addresses", address


def test_a_site_behind_a_proxy_of_browsers_gets_its_address_alone_and_trusts_what_its_system_does(
    listening: Service,
) -> None:
    admin = listening.by("admin")
    key = join.parse(admin.api("POST", "site-keys/paris", {"through": "https://noc.example/sites"})["join"])
    assert (key.urls, key.authority) == (("wss://noc.example/sites",), b"")
    assert (key.broker().port, key.broker().path) == (443, "/sites")
    for wrong in ("noc.example", "http://noc.example", "https://", "https://a@b/", "https://x:99999/", "https://x/?a"):
        refused = admin.api("PUT", "site-keys/paris", {"through": wrong}, status=422)
        assert refused["errors"][0]["field"] == "through", wrong


def test_a_name_that_cannot_be_a_site_s_gets_no_key(listening: Service) -> None:
    admin = listening.by("admin")
    for site in ("web", "reader", "-x", "UPPER"):
        assert admin.ask("POST", f"/api/v1/site-keys/{site}", json={}).status_code in (404, 422), site
    assert users(listening) == {"web", "here"}


def test_a_key_expires_after_seven_days_unless_it_was_used(listening: Service) -> None:
    admin = listening.by("admin")
    for site in ("paris", "rome"):
        admin.api("POST", f"site-keys/{site}", {})
    now = Time.now()
    listening.broker_accounts.note_use("paris", "host-1", Time(now + 3000))
    later = [Time(now + days * DAY_MS) for days in (6, 8)]
    assert [{one.user for one in listening.broker_accounts.let_in(at)} for at in later] == [
        {"web", "here", "paris", "rome"},
        {"web", "here", "paris"},
    ]
    assert listening.broker_accounts.fingerprint(later[0]) != listening.broker_accounts.fingerprint(later[1])
    BrokerFiles(listening.broker_accounts, lambda: later[1]).follow()
    assert users(listening) == {"web", "here", "paris"}


def test_the_first_presence_after_a_key_was_made_says_where_it_is_used(listening: Service) -> None:
    listening.by("admin").api("POST", "site-keys/paris", {})
    # What was there before cannot have used it.
    listening.others.publish(PROBERS, presence("paris", host="old"))
    listening.keeper.tick()
    assert listening.broker_accounts.unused_sites() == {"paris"}
    with listening.database.begin() as connection:
        connection.execute("UPDATE broker_account SET created_at = created_at - 5000")
    listening.others.publish(PROBERS, presence("paris", host="box"))
    listening.keeper.tick()
    (key,) = [one for one in listening.broker_accounts.site_keys() if one.site == "paris"]
    assert (key.used_from, key.expires_at) == ("box", None)


def test_of_a_removed_site_nothing_is_left_though_it_could_not_say_that_it_is_gone(listening: Service) -> None:
    admin = listening.by("admin")
    admin.api("POST", "targets", {"id": "a", "address": "10.0.0.1"})
    admin.api("POST", "site-keys/paris", {})
    listening.others.publish(PROBERS, presence("paris"))
    listening.others.publish(STATES, state(site="paris"))
    listening.let_pass(3)
    admin.api("DELETE", "sites/paris?history=delete", status=204)
    assert [(one.kind, one.name) for one in listening.hub.now(FORGOTTEN)] == [("site", "paris")]
    assert users(listening) == {"web", "here"}
    listening.let_pass(10)
    assert [one.site for one in listening.hub.now(PROBERS)] == []
    assert [one.site for one in listening.hub.now(STATES)] == []
    assert admin.get("sites")["sites"] == []


def test_files_are_written_where_something_differs_and_only_then(listening: Service) -> None:
    revision = Path(listening.broker_accounts.arrangement().folder) / names.REVISION
    before = revision.stat().st_mtime_ns
    listening.broker_files.follow()
    listening.broker_files.write()
    assert revision.stat().st_mtime_ns == before
    # As a command beside the service does it.
    with closing(Database(listening.config.data)) as database:
        BrokerAccounts(database).new_site_key("paris")
    listening.keeper.follow_database()
    assert revision.stat().st_mtime_ns != before
    assert users(listening) == {"web", "here", "paris"}


def test_a_folder_that_cannot_be_written_is_named_and_the_change_is_kept(listening: Service) -> None:
    folder = Path(listening.broker_accounts.arrangement().folder)
    (folder / names.NATS).unlink()
    (folder / names.NATS).mkdir()
    answer = listening.by("admin").api("POST", "site-keys/paris", {}, status=503)
    assert "The change is kept, but the broker is not told of it yet" in answer["detail"]
    listening.broker_files.follow()
    (folder / names.NATS).rmdir()
    listening.broker_files.follow()
    assert users(listening) == {"web", "here", "paris"}


def test_the_authority_is_made_once_and_its_certificate_renewed_where_it_no_longer_fits(tmp_path: Path) -> None:
    first = authority.certify(tmp_path, tmp_path, ["192.0.2.1", "noc.example"])
    certificate = first.certificate.read_bytes()
    assert authority.certify(tmp_path, tmp_path, ["192.0.2.1", "noc.example"]).certificate.read_bytes() == certificate
    other = authority.certify(tmp_path, tmp_path, ["192.0.2.2"])
    assert other.authority == first.authority
    assert other.certificate.read_bytes() != certificate
    private = [tmp_path / name for name in (authority.KEY, "listener.key", "listener.pem")]
    assert {file.stat().st_mode & 0o777 for file in private} == {0o600}


@pytest.mark.parametrize("broken", [authority.KEY, authority.CERTIFICATE])
def test_an_authority_that_is_half_gone_or_damaged_is_left_as_it_is(tmp_path: Path, broken: str) -> None:
    authority.certify(tmp_path, tmp_path, ["192.0.2.1"])
    (tmp_path / broken).write_text("x")
    with pytest.raises(authority.AuthorityFault, match="cannot be used"):
        authority.certify(tmp_path, tmp_path, ["192.0.2.2"])
    (tmp_path / broken).unlink()
    with pytest.raises(authority.AuthorityFault, match="put them back from a backup"):
        authority.certify(tmp_path, tmp_path, ["192.0.2.2"])


def test_what_the_table_knows_of_no_site_is_not_changed(listening: Service) -> None:
    with pytest.raises(ProblemError, match="There is no key for a site 'rome'"):
        listening.broker_accounts.set_site_disabled("rome", is_disabled=True)
    assert not listening.broker_accounts.remove_site("here")
    assert users(listening) == {"web", "here"}


@pytest.mark.parametrize(
    ("left_days", "life_days", "code"),
    [
        (31, None, None),
        (30, None, "expires-in-30-days"),
        (8, None, "expires-in-30-days"),
        (7, None, "expires-in-7-days"),
        (1, None, "expires-in-1-day"),
        (0.5, 1, None),
        (0, None, "expired"),
        (-5, None, "expired"),
        (6, 90, "expires-in-7-days"),
        (6, 30, "expires-in-7-days"),
        (6, 7, None),
        (0.9, 7, "expires-in-1-day"),
    ],
)
def test_what_expires_is_told_30_7_and_1_days_before(
    left_days: float, life_days: float | None, code: str | None
) -> None:
    now = Time.now()
    found = warning([Expiring("the pass", Time(now + int(left_days * DAY_MS)), "renew it", life_days)], now)
    assert (found[1] if found else None) == code
    assert found is None or found[0].startswith("the pass ")


def test_the_most_urgent_of_several_is_told_first() -> None:
    now = Time.now()
    month, day = (Expiring(name, Time(now + days * DAY_MS), "renew it") for name, days in (("a", 20), ("b", 1)))
    assert warning([month, day], now) == (
        "b expires within a day: renew it; a expires within 30 days: renew it",
        "expires-in-1-day",
    )


def test_a_certificate_of_somebody_s_own_and_a_token_in_use_are_told_of(
    new_service: Callable[..., Service], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, folder, own = new_service(), tmp_path / "broker", tmp_path / "own"
    for one in (folder, own):
        one.mkdir()
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=391)
    made = authority.certify(own, own, ["noc.example"], long_ago)
    prepare(service.config.data, Arrangement(str(folder), urls=(URL,)), {"web": "w"})
    service.start()
    assert renew(service.config.data) is None
    monkeypatch.setenv("NOC_TLS_CERT", str(made.certificate))
    monkeypatch.setenv("NOC_TLS_KEY", str(made.key))
    service.let_pass(61)
    assert service.keeper.expiring == (
        "the certificate for sites expires within 7 days: replace the file that NOC_TLS_CERT names",
        "expires-in-7-days",
    )
    shown = service.by("operator").get("site-keys")["certificate"]
    assert (shown["names"], shown["is_own"]) == (["noc.example"], False)
    machine = Browser(service, service.accounts.create_token("grafana", "viewer", days=90))
    machine.get("targets")
    with service.database.begin() as connection:
        made_at, soon = int(Time.now()) - 89 * DAY_MS, int(Time.now()) + DAY_MS // 2
        connection.execute("UPDATE token SET created_at = ?, expires_at = ?", (made_at, soon))
    service.let_pass(1)
    assert service.keeper.expiring
    assert service.keeper.expiring[0].startswith("the API token grafana expires within a day: create another one")


@pytest.mark.thorough
def test_a_certificate_that_is_about_to_expire_is_renewed_while_noc_runs(listening: Service) -> None:
    folder = Path(listening.broker_accounts.arrangement().folder)
    revision, certificate = folder / names.REVISION, folder / "listener.pem"
    made = dt.datetime.now(dt.UTC)
    fresh = certificate.read_bytes()
    renew(listening.config.data)
    assert certificate.read_bytes() == fresh
    # As one that was made 350 days ago.
    certificate.unlink()
    authority.certify(listening.config.data, folder, ["192.0.2.9"], made - dt.timedelta(days=350))
    old, told = certificate.read_bytes(), revision.stat().st_mtime_ns
    assert listening.by("operator").get("site-keys")["certificate"] is None
    # It slept for a day: what is due is done at its next second.
    listening.passed_s += 24 * 3600
    listening.let_pass(1)
    assert certificate.read_bytes() != old
    shown = listening.by("operator").get("site-keys")["certificate"]
    assert (shown["names"], shown["is_own"], shown["issuer"][:4]) == (["192.0.2.9"], True, "NOC ")
    assert Time.parse(shown["valid_until"]) > made.timestamp() * 1000 + 300 * DAY_MS
    assert revision.stat().st_mtime_ns != told


def test_an_account_reads_what_it_was_given_and_nothing_else(listening: Service) -> None:
    accounts = listening.broker_accounts
    accounts.add_reader("grafana", ["verdicts/#", "states/+/router"])
    listening.broker_files.follow()
    (account,) = [one for one in accounts.let_in(Time.now()) if one.user == "grafana"]
    assert rights_of(account) == Rights((), ("noc/v1/verdicts/#", "noc/v1/states/+/router"))
    assert users(listening) == {"web", "here", "grafana"}
    assert accounts.readers() == {"grafana": ["verdicts/#", "states/+/router"]}
    for taken in ("grafana", "here"):
        with pytest.raises(ProblemError, match="exists already"):
            accounts.add_reader(taken, ["#"])
    with pytest.raises(ProblemError, match="is the name of another account"):
        accounts.new_site_key("grafana")
    accounts.remove_reader("grafana")
    listening.broker_files.follow()
    assert users(listening) == {"web", "here"}
    for user in ("grafana", "here"):
        with pytest.raises(ProblemError, match="There is no account"):
            accounts.remove_reader(user)


def test_topics_that_are_none_are_refused(tmp_path: Path) -> None:
    with closing(Database(tmp_path)) as database:
        for topics in ("", "/verdicts", "verdicts/", "a#", "#/a", "a b", "a\nwrite #", "../x", "$SYS/#", "a//b"):
            with pytest.raises(ProblemError, match="is not accepted; use topics below noc/v1"):
                BrokerAccounts(database).add_reader("grafana", ["verdicts/#", topics])


def test_a_new_key_for_one_of_the_version_before_comes_with_what_to_do_first(
    listening: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    admin = listening.by("admin")
    first = "Bring its prober up to date before it gets this token"

    def is_of_the_version_before() -> None:
        with closing(Database(listening.config.data)) as database, database.begin() as connection:
            connection.execute("UPDATE broker_account SET as_before = 1 WHERE user = 'paris'")

    def typed() -> str:
        assert cli.main(["site", "rotate", "paris", "--data", str(listening.config.data)]) == 0
        return capsys.readouterr().err

    assert admin.api("POST", "site-keys/paris", {})["warning"] is None
    is_of_the_version_before()
    assert first in admin.api("PUT", "site-keys/paris", {})["warning"]
    assert admin.api("PUT", "site-keys/paris", {})["warning"] is None
    is_of_the_version_before()
    assert first in typed()
    assert first not in typed()


def test_only_who_is_asked_for_a_certificate_lacks_one_and_who_is_disabled_lacks_nothing(tmp_path: Path) -> None:
    with closing(Database(tmp_path)) as database:
        accounts = BrokerAccounts(database)
        lacking: dict[CertificatesOfSites, list[str]] = {"none": [], "issued": [], "required": ["oslo"]}
        for certificates, sites in lacking.items():
            accounts.arrange(Arrangement(certificates=certificates), {"here": Hashes("m", "n")})
            accounts.new_site_key("oslo")
            accounts.new_site_key("rome", has_certificate=True)
            accounts.new_site_key("paris")
            accounts.set_site_disabled("paris", is_disabled=True)
            assert accounts.lacking_certificate() == sites


def test_a_name_that_could_break_a_broker_s_file_is_refused(tmp_path: Path) -> None:
    with closing(Database(tmp_path)) as database:
        for user in ("", "Grafana", "web", "reader", "a b", "x\ntopic write #", "-a"):
            with pytest.raises(ProblemError, match="is not accepted; use lower-case letters"):
                BrokerAccounts(database).add_reader(user, ["#"])


def test_a_key_of_the_version_before_reads_what_it_could_until_it_is_replaced_and_no_new_key_does(
    tmp_path: Path,
) -> None:
    made = LADDER.steps.index(AS_BEFORE)
    path = tmp_path / "web.sqlite"
    with closing(open_file(path, replace(LADDER, steps=LADDER.steps[:made]))) as connection, transaction(connection):
        put = "INSERT INTO broker_account (user, role, reads, mosquitto_hash, nats_hash, is_own, created_at, used_from) VALUES (?, ?, '[]', 'm', 'n', ?, 0, '')"
        for user, role, is_own in (("paris", "site", 0), ("here", "site", 1), ("web", "web", 1), ("eyes", "reader", 0)):
            connection.execute(put, (user, role, is_own))
    with closing(Database(tmp_path)) as database:
        accounts = BrokerAccounts(database)
        assert wide(accounts) == {"here", "paris"}
        assert {key.site: key.reads_all for key in accounts.site_keys()} == {"here": True, "paris": True}
        # A start with the same secret of its own prober, which may still be of before; then with another one.
        accounts.arrange(Arrangement(), {"here": Hashes("m", "n"), "rome": Hashes("r", "r")})
        assert wide(accounts) == {"here", "paris"}
        accounts.arrange(Arrangement(), {"here": Hashes("other", "other"), "rome": Hashes("r", "r")})
        assert wide(accounts) == {"paris"}
        accounts.new_site_key("oslo")
        accounts.set_site_disabled("paris", is_disabled=True)
        accounts.set_site_disabled("paris", is_disabled=False)
        assert wide(accounts) == {"paris"}
        accounts.new_site_key("paris")
        assert wide(accounts) == set()


def wide(accounts: BrokerAccounts) -> set[str]:
    """Sites whose accounts may read what is not theirs."""
    return {
        one.user
        for one in accounts.let_in(Time.now())
        if one.role == "site" and any(f"/{one.user}" not in topic for topic in rights_of(one).subscribe)
    }
