"""Users, log-ins and tokens: who is let in, for how long, and how slowly others may guess."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import gevent
import pytest
from flask import Request
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

from noc_bus.time import Time
from noc_web import pools
from noc_web.auth import passwords
from noc_web.auth.accounts import FIRST_LOGIN, Accounts
from noc_web.auth.client import client_address, parse_networks
from noc_web.auth.pages import FAILURES, FAILURES_OF_ADDRESS
from noc_web.auth.throttle import WINDOW_S, Throttle
from noc_web.database.opening import Database
from noc_web.problem import ProblemError
from tests.web.conftest import PASSWORD, Browser, Service, at_once

# Passwords are hashed slowly on purpose.
pytestmark = pytest.mark.thorough

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path)
    yield database
    database.close()


@pytest.fixture
def accounts(database: Database) -> Accounts:
    return Accounts(database)


def refusal(act: Callable[[], Any]) -> ProblemError:
    with pytest.raises(ProblemError) as caught:
        act()
    return caught.value


# -- the first log-in


def test_the_first_secret_is_left_in_a_file_for_its_owner_and_works_once(accounts: Accounts, tmp_path: Path) -> None:
    accounts.ensure_first("", tmp_path)
    note = tmp_path / FIRST_LOGIN
    secret = note.read_text().strip()
    assert len(secret) >= 16
    assert note.stat().st_mode & 0o777 == 0o600
    found = accounts.log_in("admin", secret)
    assert found is not None
    assert found[1].must_change_password
    assert accounts.log_in("admin", secret) is None


def test_a_first_secret_that_was_not_used_up_is_replaced_at_the_next_start(accounts: Accounts, tmp_path: Path) -> None:
    accounts.ensure_first("", tmp_path)
    first = (tmp_path / FIRST_LOGIN).read_text().strip()
    accounts.ensure_first("", tmp_path)
    second = (tmp_path / FIRST_LOGIN).read_text().strip()
    assert first != second
    assert accounts.log_in("admin", first) is None
    assert accounts.log_in("admin", second) is not None
    assert len(accounts.users()) == 1


def test_a_user_added_before_the_first_log_in_takes_nobody_s_way_in(accounts: Accounts, tmp_path: Path) -> None:
    accounts.ensure_first("", tmp_path)
    accounts.add_user("viewer", "viewer", PASSWORD)
    accounts.ensure_first("", tmp_path)
    assert accounts.log_in("admin", (tmp_path / FIRST_LOGIN).read_text().strip()) is not None
    assert accounts.log_in("viewer", PASSWORD) is not None
    accounts.add_user("boss", "admin", PASSWORD)
    accounts.ensure_first("", tmp_path)
    assert not (tmp_path / FIRST_LOGIN).exists()


def test_of_many_who_use_the_first_secret_at_once_one_gets_in(accounts: Accounts, tmp_path: Path) -> None:
    accounts.ensure_first("", tmp_path)
    secret = (tmp_path / FIRST_LOGIN).read_text().strip()
    outcomes = at_once(4, lambda number: accounts.log_in("admin", secret))
    assert len(outcomes) == 4
    assert len([one for one in outcomes if one]) == 1


def test_once_a_password_is_chosen_the_file_is_gone_and_no_start_changes_anything(
    accounts: Accounts, tmp_path: Path
) -> None:
    accounts.ensure_first("", tmp_path)
    found = accounts.log_in("admin", (tmp_path / FIRST_LOGIN).read_text().strip())
    assert found is not None
    accounts.choose_password(found[1], None, PASSWORD, tmp_path)
    assert not (tmp_path / FIRST_LOGIN).exists()
    accounts.ensure_first("another password", tmp_path)
    assert accounts.log_in("admin", PASSWORD) is not None
    assert accounts.log_in("admin", "another password") is None
    assert not (tmp_path / FIRST_LOGIN).exists()


def test_a_password_in_the_settings_is_the_first_user_s(accounts: Accounts, tmp_path: Path) -> None:
    accounts.ensure_first(PASSWORD, tmp_path)
    found = accounts.log_in("admin", PASSWORD)
    assert found is not None
    assert not found[1].must_change_password
    assert not (tmp_path / FIRST_LOGIN).exists()


def test_whoever_holds_the_one_time_secret_can_do_nothing_before_choosing_a_password(service: Service) -> None:
    service.accounts.ensure_first("", service.config.data)
    secret = (service.config.data / FIRST_LOGIN).read_text().strip()
    browser = service.anonymous()
    assert browser.log_in("admin", secret).location == "/password"
    assert browser.ask("GET", "/").location == "/password"
    for method, path in (("GET", "status"), ("GET", "users"), ("POST", "targets"), ("PUT", "me")):
        assert browser.api(method, path, {}, status=403)["detail"] == "Choose a password first."
    assert browser.ask("GET", "/metrics").status_code == 403
    form = {"new": PASSWORD, "again": PASSWORD}
    assert browser.ask("POST", "/password", data=form).location == "/"
    assert browser.get("status")["kpis"]["total"] == 0
    assert not (service.config.data / FIRST_LOGIN).exists()


# -- passwords


@pytest.mark.parametrize(
    "password",
    ["", "elevenchars", "x" * 129, "aaaaaaaaaaaa", "abababababab", "passwordpassword", "PasswordPassword", "AnnaAnna1234",
     "password1234", "Passwort2026!", "administrator", "123456789012", "098765432109", "1q2w3e4r5t6y", "qwertzuiop123"],
)  # fmt: skip
def test_a_password_that_is_easy_to_guess_is_refused_and_never_repeated(accounts: Accounts, password: str) -> None:
    problem = refusal(lambda: accounts.add_user("anna", "viewer", password))
    assert problem.errors[0].field == "password"
    assert not password or password not in problem.detail
    assert accounts.users() == []


def test_a_password_is_kept_as_a_slow_hash_only(accounts: Accounts, tmp_path: Path) -> None:
    accounts.add_user("anna", "viewer", PASSWORD)
    found = accounts.log_in("anna", PASSWORD)
    assert found is not None
    token = accounts.create_token("machine", "viewer")
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("web.sqlite*"))
    assert b"$argon2id$" in kept
    for secret in (PASSWORD, found[0], token):
        assert secret.encode() not in kept


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD + " ", PASSWORD.upper(), "x" * 100_000, "\x00"])
def test_a_wrong_password_is_refused_for_those_who_exist_and_those_who_do_not(
    accounts: Accounts, password: str
) -> None:
    accounts.add_user("anna", "viewer", PASSWORD)
    assert accounts.log_in("anna", password) is None
    assert accounts.log_in("nobody", password) is None


def test_a_user_who_was_given_no_password_cannot_log_in() -> None:
    for guess in ("", passwords.UNUSABLE, "x"):
        assert not passwords.fits(guess, passwords.UNUSABLE)


# -- log-ins


def test_every_log_in_is_a_session_of_its_own(accounts: Accounts) -> None:
    accounts.add_user("anna", "viewer", PASSWORD)
    one, other = accounts.log_in("anna", PASSWORD), accounts.log_in("anna", PASSWORD)
    assert one is not None
    assert other is not None
    assert one[0] != other[0]
    accounts.log_out(one[0])
    assert accounts.who(one[0]) is None
    assert accounts.who(other[0]) is not None


def test_a_cookie_from_before_the_log_in_is_not_the_session(service: Service) -> None:
    service.add_person("anna", "viewer")
    browser = service.anonymous()
    browser.ask("GET", "/login")
    planted = cookie(browser)
    browser.log_in("anna", PASSWORD)
    assert cookie(browser) != planted
    assert status_with(service, planted) == 401
    assert status_with(service, cookie(browser)) == 200


@pytest.mark.parametrize("ending", ["log out", "password", "password by an admin", "role", "deleted"])
def test_a_session_that_has_ended_is_refused_when_its_cookie_is_played_again(service: Service, ending: str) -> None:
    service.add_person("anna", "viewer")
    browser, other = service.person("anna"), service.person("anna")
    played = cookie(browser if ending == "log out" else other)
    assert status_with(service, played) == 200
    admin = service.by("admin")
    if ending == "log out":
        assert browser.ask("POST", "/logout").location == "/login"
    elif ending == "password":
        browser.api("POST", "me/password", {"current": PASSWORD, "new": "another battery"}, status=204)
        assert browser.get("me")["name"] == "anna"
    elif ending == "password by an admin":
        admin.api("PUT", "users/anna", {"password": "another battery"})
    elif ending == "role":
        admin.api("PUT", "users/anna", {"role": "operator"})
    else:
        admin.api("DELETE", "users/anna", status=204)
    assert status_with(service, played) == 401


def test_a_forged_or_altered_cookie_is_nobody(service: Service) -> None:
    service.add_person("anna", "viewer")
    played = cookie(service.person("anna"))
    # Not its last character: some of that one's bits mean nothing.
    altered = played[:-10] + ("a" if played[-10] != "a" else "b") + played[-9:]
    for forged in ("", "x", altered, played.upper(), "a.b.c"):
        assert status_with(service, forged) == 401


@pytest.mark.parametrize(
    ("seen_before_ms", "begun_before_ms", "is_alive"),
    [
        (0, 0, True),
        (12 * HOUR_MS - MINUTE_MS, 0, True),
        (12 * HOUR_MS, 0, False),
        (0, 7 * DAY_MS - MINUTE_MS, True),
        (0, 7 * DAY_MS, False),
    ],
    ids=["fresh", "idle for less than 12 hours", "idle for 12 hours", "used for less than 7 days", "used for 7 days"],
)
def test_a_session_ends_after_12_idle_hours_and_after_7_days_in_any_case(
    service: Service, seen_before_ms: int, begun_before_ms: int, is_alive: bool
) -> None:
    service.add_person("anna", "viewer")
    browser = service.person("anna")
    now = int(Time.now())
    with service.database.begin() as connection:
        times = (now - seen_before_ms, now - begun_before_ms)
        connection.execute("UPDATE session SET seen_at = ?, created_at = ?", times)
    accounts = service.accounts
    hashes = [row[0] for row in service.database.rows("SELECT id_hash FROM session")]
    assert browser.ask("GET", "/api/v1/me").status_code == (200 if is_alive else 401)
    assert bool(accounts.in_use(hashes)) == is_alive


def test_using_a_session_keeps_it_from_becoming_idle(accounts: Accounts, database: Database) -> None:
    accounts.add_user("anna", "viewer", PASSWORD)
    found = accounts.log_in("anna", PASSWORD)
    assert found is not None
    with database.begin() as connection:
        connection.execute("UPDATE session SET seen_at = ?", (int(Time.now()) - 11 * HOUR_MS,))
    assert accounts.who(found[0]) is not None
    assert Time.now() - database.value("SELECT seen_at FROM session") < MINUTE_MS


def test_choosing_a_password_needs_the_present_one(service: Service) -> None:
    service.add_person("anna", "viewer")
    browser = service.person("anna")
    wrong = browser.api("POST", "me/password", {"current": "wrong", "new": "another battery"}, status=403)
    assert wrong["errors"][0]["field"] == "current"
    browser.api("POST", "me/password", {"new": "another battery"}, status=403)
    browser.api("POST", "me/password", {"current": PASSWORD, "new": "short"}, status=422)
    assert browser.ask("POST", "/password", data={"current": PASSWORD, "new": "a", "again": "b"}).status_code == 422
    assert "wrong" in browser.ask("POST", "/password", data={"current": "x", "new": "a", "again": "a"}).text
    browser.api("POST", "me/password", {"current": PASSWORD, "new": "another battery"}, status=204)
    noted = [(row["act"], row["detail"]) for row in service.by("admin").get("audit")["audit"] if row["who"] == "anna"]
    assert noted[:2] == [("change password", {}), ("change of password failed", {"times": 3, "last from": "127.0.0.1"})]


# -- users


def test_a_user_s_name_is_taken_once_and_may_be_shown_anywhere(accounts: Accounts) -> None:
    accounts.add_user("Anna.B_c@d-1", "viewer", PASSWORD)
    assert refusal(lambda: accounts.add_user("Anna.B_c@d-1", "admin", PASSWORD)).status == 409
    for name in ("", "-a", "a b", "a\n", "a/b", "x" * 65, "é"):
        assert refusal(lambda name=name: accounts.add_user(name, "viewer", PASSWORD)).errors[0].field == "name"  # type: ignore[misc]
    assert refusal(lambda: accounts.add_user("bert", "root", PASSWORD)).errors[0].field == "role"


def test_the_last_admin_can_neither_be_deleted_nor_made_less(accounts: Accounts) -> None:
    accounts.add_user("anna", "admin", PASSWORD)
    accounts.add_user("bert", "viewer", PASSWORD)
    assert refusal(lambda: accounts.delete_user("anna")).status == 409
    assert refusal(lambda: accounts.change_user("anna", "operator", None)).status == 409
    accounts.change_user("bert", "admin", None)
    accounts.change_user("anna", "operator", None)
    assert refusal(lambda: accounts.delete_user("bert")).status == 409
    accounts.delete_user("anna")
    assert refusal(lambda: accounts.delete_user("anna")).status == 404


def test_two_admins_who_delete_each_other_at_once_leave_one(accounts: Accounts) -> None:
    names = ("anna", "bert")
    for name in names:
        accounts.add_user(name, "admin", PASSWORD)
    outcomes = at_once(2, lambda number: accounts.delete_user(names[number]))
    assert sorted(str(getattr(one, "status", one)) for one in outcomes) == ["409", "admin"]
    assert len(accounts.users()) == 1


# -- tokens


def test_a_token_is_shown_once_works_at_once_and_never_after_it_is_deleted(service: Service) -> None:
    admin = service.by("admin")
    created = admin.api("POST", "tokens", {"name": "grafana", "role": "viewer"}, status=201)
    machine = Browser(service, created["token"])
    assert machine.get("me") == {"name": "grafana", "role": "viewer", "theme": "auto"}
    machine.api("POST", "targets", {"address": "10.0.0.1"}, status=403)
    listed = admin.get("tokens")["tokens"]
    assert created["token"] not in str(listed)
    assert listed[0]["used_at"] is not None
    admin.api("POST", "tokens", {"name": "grafana", "role": "admin"}, status=409)
    admin.api("DELETE", "tokens/grafana", status=204)
    machine.get("me", status=401)
    admin.api("DELETE", "tokens/grafana", status=404)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer wrong", "Basic YTpi", "Token {}", "{}"])
def test_only_a_valid_bearer_token_is_somebody_even_beside_a_valid_cookie(service: Service, header: str) -> None:
    token = service.accounts.create_token("machine", "admin")
    sent = {"Authorization": header.format(token) or " "}
    assert service.by("admin").ask("GET", "/api/v1/me", headers=sent).status_code == 401


def test_a_token_counts_until_it_expires_and_within_its_areas(service: Service) -> None:
    admin = service.by("admin")
    made = admin.api("POST", "tokens", {"name": "m", "role": "admin", "days": 7, "areas": ["reports", "metrics"]})
    machine = Browser(service, made["token"])
    assert machine.ask("GET", "/metrics").status_code == 200
    machine.get("reports/uptime")
    for path in ("targets", "users", "me", "openapi.json"):
        assert "is for metrics, reports only" in machine.get(path, 403)["detail"]
    (listed,) = admin.get("tokens")["tokens"]
    assert listed["areas"] == ["metrics", "reports"]
    left_ms = Time.parse(listed["expires_at"]) - Time.now()
    assert 6.99 < left_ms / DAY_MS <= 7
    with service.database.begin() as connection:
        connection.execute("UPDATE token SET expires_at = ?", (int(Time.now()) - 1,))
    assert machine.ask("GET", "/metrics").status_code == 401
    assert admin.get("tokens")["tokens"][0]["name"] == "m", "an expired one is shown until it is deleted"


@pytest.mark.parametrize(
    "wrong", [{"days": 0}, {"days": 3651}, {"areas": ["nothing"]}, {"areas": ["tokens"]}, {"areas": "reports"}]
)
def test_a_token_that_cannot_be_is_refused(service: Service, wrong: dict[str, object]) -> None:
    service.by("admin").api("POST", "tokens", {"name": "m", "role": "viewer", **wrong}, status=422)
    assert service.accounts.tokens() == []


def test_the_last_admin_is_let_in_again_from_the_command_line(service: Service) -> None:
    admin = service.by("admin")
    with service.database.begin() as connection:
        connection.execute("UPDATE user SET role = 'viewer', password_hash = 'lost' WHERE name = 'some-admin'")
    assert not service.accounts.reset_admin("some-admin", "another horse battery")
    assert admin.ask("GET", "/api/v1/users").status_code == 401, "sessions of before are over"
    assert service.anonymous().log_in("some-admin", "another horse battery").status_code == 302
    assert service.accounts.reset_admin("new-one", "another horse battery")
    assert {one["name"]: one["role"] for one in service.accounts.users()}["new-one"] == "admin"
    with pytest.raises(ProblemError):
        service.accounts.reset_admin("some-admin", "short")


def test_the_audit_says_from_where_and_how_it_was_before_and_after(new_service: Callable[..., Service]) -> None:
    service = new_service(settings={"NOC_TRUSTED_PROXIES": "127.0.0.1"})
    service.start()
    admin = service.by("admin")
    far: Any = {"headers": {"X-Forwarded-For": "198.51.100.7"}}
    admin.api("POST", "targets", {"id": "a", "address": "10.0.0.1", "interval_s": 60, "name": "A"}, **far)
    admin.api("PATCH", "targets/a", {"interval_s": 30}, **far)
    admin.api("PUT", "sites/here", {"label": "Here"}, **far)
    admin.api("PUT", "sites/here", {"label": "There"}, **far)
    service.add_person("ada", "viewer")
    admin.api("PUT", "users/ada", {"role": "operator"}, **far)
    admin.api("DELETE", "targets/a", **far)
    rows = [one for one in admin.get("audit")["audit"] if one["act"] != "log in"]
    assert {one["origin"] for one in rows} == {"198.51.100.7"}
    told = [(one["act"], one["before"], one["after"]) for one in rows]
    assert told[:4] == [
        ("delete target", {"address": "10.0.0.1", "id": "a", "interval_s": 30, "name": "A"}, {}),
        ("change user", {"role": "viewer"}, {"role": "operator"}),
        ("change site", {"label": "Here"}, {"label": "There"}),
        ("change site", {}, rows[3]["after"]),
    ]
    assert told[4:] == [
        ("change target", {"interval_s": 60}, {"interval_s": 30}),
        ("add target", {}, {"address": "10.0.0.1", "id": "a", "interval_s": 60, "name": "A"}),
    ]


def test_a_token_has_no_password_to_change(service: Service) -> None:
    service.by("token").api("POST", "me/password", {"new": "another battery"}, status=403)


def test_the_use_of_a_token_is_noted_once_a_minute(accounts: Accounts, database: Database) -> None:
    token = accounts.create_token("machine", "viewer")
    accounts.whose_token(token)
    with database.begin() as connection:
        connection.execute("UPDATE token SET used_at = ?", (int(Time.now()) - 30_000,))
    accounts.whose_token(token)
    assert Time.now() - database.value("SELECT used_at FROM token") >= 30_000


# -- guessing


ANNA = {"anna": FAILURES}


def test_after_five_failures_in_15_minutes_a_name_has_to_wait_until_the_first_is_over() -> None:
    throttle = Throttle()
    for second in range(FAILURES):
        assert throttle.wait_s(ANNA, second) == 0
        throttle.failed(ANNA, second)
    assert throttle.wait_s(ANNA, 10) == WINDOW_S - 10
    assert throttle.wait_s({"bert": FAILURES}, 10) == 0
    assert throttle.wait_s(ANNA | {"bert": FAILURES}, WINDOW_S - 1) == 1
    assert throttle.wait_s(ANNA, WINDOW_S) == 0


def test_a_success_forgets_the_failures_before_it() -> None:
    throttle = Throttle()
    for _ in range(FAILURES - 1):
        throttle.failed(ANNA, 0)
    throttle.succeeded(ANNA)
    throttle.failed(ANNA, 1)
    assert throttle.wait_s(ANNA, 1) == 0


def test_many_addresses_do_not_fill_the_memory() -> None:
    throttle = Throttle()
    for number in range(11_000):
        throttle.failed({str(number): FAILURES}, 0)
    assert len(throttle._failures) == 10_000


def test_guessing_one_name_from_many_addresses_is_stopped_even_for_the_right_password(service: Service) -> None:
    service.add_person("anna", "viewer")
    for number in range(FAILURES):
        assert service.anonymous(f"10.0.0.{number}").log_in("anna", "wrong").status_code == 401
    refused = service.anonymous("10.0.0.99").log_in("anna", PASSWORD)
    assert refused.status_code == 429
    assert "15 minutes" in refused.text


def test_guessing_many_names_from_one_address_is_stopped(service: Service) -> None:
    service.add_person("anna", "viewer")
    attacker = service.anonymous("10.0.0.1")
    for number in range(FAILURES_OF_ADDRESS):
        assert attacker.log_in(f"user{number}", "wrong").status_code == 401
    assert attacker.log_in("anna", PASSWORD).status_code == 429
    assert service.anonymous("10.0.0.2").log_in("anna", PASSWORD).status_code == 302


def test_lock_outs_the_owner_gets_in_from_where_they_have_been(service: Service) -> None:
    service.add_person("anna", "admin")
    here = service.anonymous("10.0.0.1")
    assert here.log_in("anna", PASSWORD).status_code == 302
    here.ask("POST", "/logout")
    for number in range(FAILURES):
        assert service.anonymous(f"10.9.0.{number}").log_in("anna", "wrong").status_code == 401
    assert service.anonymous("10.9.9.9").log_in("anna", PASSWORD).status_code == 429
    assert service.anonymous("10.0.0.1").log_in("anna", PASSWORD).status_code == 302, "another browser there"
    moved = Browser(service, address="10.0.0.77")
    moved.client = here.client
    assert moved.log_in("anna", PASSWORD).status_code == 302, "the same browser elsewhere"


def test_lock_outs_whoever_guesses_at_a_known_place_has_as_few_tries_as_elsewhere(service: Service) -> None:
    service.add_person("anna", "admin")
    here = service.anonymous("10.0.0.1")
    assert here.log_in("anna", PASSWORD).status_code == 302
    for _ in range(FAILURES):
        assert service.anonymous("10.0.0.1").log_in("anna", "wrong").status_code == 401
    assert service.anonymous("10.0.0.1").log_in("anna", PASSWORD).status_code == 429
    assert service.anonymous("10.0.0.2").log_in("anna", PASSWORD).status_code == 302
    here.ask("POST", "/logout")
    for _ in range(FAILURES):
        assert here.log_in("anna", "wrong").status_code == 401
    assert here.log_in("anna", PASSWORD).status_code == 429


def test_lock_outs_a_reset_by_another_admin_lets_the_owner_in_from_anywhere(service: Service) -> None:
    service.add_person("anna", "admin")
    for number in range(FAILURES):
        service.anonymous(f"10.9.0.{number}").log_in("anna", "wrong")
    assert service.anonymous("10.0.0.1").log_in("anna", PASSWORD).status_code == 429
    service.by("admin").api("PUT", "users/anna", {"password": "another good sentence"})
    assert service.anonymous("10.0.0.1").log_in("anna", "another good sentence").status_code == 302


def test_floods_of_failures_are_one_row_of_the_audit_a_name_and_window(service: Service) -> None:
    service.add_person("anna", "viewer")
    for number in range(FAILURES):
        service.anonymous(f"10.0.0.{number}").log_in("anna", "wrong")
    service.anonymous("10.0.0.9").log_in("bert", "wrong")
    failed = [row for row in service.by("admin").get("audit")["audit"] if row["act"] == "log-in failed"]
    assert [(row["who"], row["subject"]) for row in failed] == [("bert", "10.0.0.9"), ("anna", "10.0.0.0")]
    assert failed[1]["detail"] == {"times": FAILURES, "last from": f"10.0.0.{FAILURES - 1}"}


def test_floods_of_attempts_that_are_refused_unheard_are_in_the_audit_too(service: Service) -> None:
    service.add_person("anna", "viewer")
    service.add_person("bert", "viewer")
    for number in range(FAILURES + 3):
        service.anonymous(f"10.0.0.{number}").log_in("anna", "wrong")
    attacker = service.anonymous("10.0.1.1")
    for number in range(FAILURES_OF_ADDRESS + 7):
        attacker.log_in(f"made-up-{number}", "wrong")
    for name in ("bert", "bert", "made-up-3"):
        assert attacker.log_in(name, PASSWORD).status_code == 429
    failed = [row for row in service.by("admin").get("audit")["audit"] if row["act"] == "log-in failed"]
    times = {row["who"]: row["detail"]["times"] for row in failed}
    own = {f"made-up-{number}": 1 for number in range(FAILURES_OF_ADDRESS)} | {"made-up-3": 2}
    assert times == own | {"anna": FAILURES + 3, "unknown names": 7, "bert": 2}


def test_floods_through_a_trusted_proxy_are_counted_by_where_browsers_are(new_service: Callable[..., Service]) -> None:
    settings = {"NOC_PUBLIC_URL": "http://noc.example.org", "NOC_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/24"}
    service = new_service(settings=settings)
    service.start()
    service.add_person("anna", "viewer")

    def log_in(name: str, password: str, forwarded: str) -> int:
        browser = service.anonymous()
        browser._headers["X-Forwarded-For"] = forwarded
        return browser.log_in(name, password).status_code

    for number in range(FAILURES_OF_ADDRESS):
        assert log_in(f"user{number}", "wrong", f"1.2.3.{number}, 192.0.2.7, 10.0.0.5") == 401
    assert log_in("anna", PASSWORD, "192.0.2.7") == 429
    assert log_in("anna", PASSWORD, "192.0.2.8") == 302
    assert service.accounts.was_at("anna", "192.0.2.8")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "6.6.6.6, 1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "6.6.6.6, 1.1.1.1, 10.0.0.2", "1.1.1.1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "6.6.6.6, , 10.0.0.2", "10.0.0.2"),
        ("192.0.2.1", "1.1.1.1", "192.0.2.1"),
        ("::1", "2001:db8::7", "2001:db8::7"),
    ],
)
def test_what_a_header_says_counts_only_where_a_trusted_proxy_has_said_it(
    peer: str, forwarded: str, client: str
) -> None:
    headers = Headers({"X-Forwarded-For": forwarded})
    environ = EnvironBuilder(environ_base={"REMOTE_ADDR": peer}, headers=headers).get_environ()
    assert client_address(Request(environ), parse_networks("10.0.0.0/24,::1")) == client


def test_behind_a_proxy_nobody_is_locked_out_by_what_others_type(new_service: Callable[..., Service]) -> None:
    service = new_service(settings={"NOC_PUBLIC_URL": "http://noc.example.org"})
    service.start()
    service.add_person("anna", "viewer")
    for number in range(FAILURES):
        assert service.anonymous().log_in(f"user{number}", "wrong").status_code == 401
    assert service.anonymous().log_in("anna", PASSWORD).status_code == 302
    for _ in range(FAILURES):
        service.anonymous().log_in("bert", "wrong")
    assert service.anonymous().log_in("bert", "wrong").status_code == 429


def on_every_connection(service: Service, pragma: str) -> None:
    """Also on those of threads that no request has needed so far."""
    for pool in (pools.REQUESTS, pools.PASSWORDS):
        together = threading.Barrier(pool._threads)

        def connect(together: threading.Barrier = together) -> None:
            service.database.connection()
            together.wait(60)

        gevent.joinall([gevent.spawn(pool.run, connect) for _ in range(pool._threads)], raise_error=True)
    for connection in service.database._all:
        connection.execute(pragma)


def test_where_nothing_can_be_written_people_still_see_and_are_told_why_nothing_changes(service: Service) -> None:
    operator, machine = service.by("operator"), service.by("token")
    service.by("admin").get("users")
    with service.database.begin() as connection:
        connection.execute("UPDATE session SET seen_at = ?", (int(Time.now()) - 120_000,))
        connection.execute("UPDATE token SET used_at = ?", (int(Time.now()) - 120_000,))
    on_every_connection(service, "PRAGMA query_only = ON")
    assert operator.get("status")["kpis"]["total"] == machine.get("status")["kpis"]["total"] == 0
    problem = operator.api("POST", "targets", {"address": "10.0.0.1"}, status=503)
    assert "look at the rights and the disk of NOC_DATA" in problem["detail"]
    assert problem["code"] == "database-unavailable"
    assert "Nothing can be changed now" in service.anonymous().log_in("some-operator", PASSWORD).text


def test_a_database_that_is_locked_is_not_a_full_disk(service: Service) -> None:
    operator = service.by("operator")
    operator.get("status")
    on_every_connection(service, "PRAGMA busy_timeout = 50")
    with closing(sqlite3.connect(service.database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        problem = operator.api("POST", "targets", {"address": "10.0.0.1"}, status=503)
    assert problem["detail"] == "Another change is being written; try again in a moment."
    assert problem["code"] == "busy"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_word_before_a_token_may_be_written_in_any_case(service: Service, scheme: str) -> None:
    token = service.accounts.create_token("machine", "viewer")
    headers = {"Authorization": f"{scheme} {token}"}
    assert service.anonymous().ask("GET", "/api/v1/me", headers=headers).status_code == 200


def cookie(browser: Browser) -> str:
    kept = browser.client.get_cookie("noc_session")
    return kept.value if kept else ""


def status_with(service: Service, played: str) -> int:
    """What the API says to somebody who sends this cookie."""
    thief = service.app.test_client()
    thief.set_cookie("noc_session", played)
    return thief.get("/api/v1/me").status_code


def test_a_refusal_says_by_its_code_what_to_do(service: Service) -> None:
    service.add_person("new", "admin", must_change_password=True)
    must_choose = service.person("new")
    assert must_choose.api("GET", "targets", status=403)["code"] == "choose-password"
    assert service.anonymous().api("GET", "targets", status=401)["code"] == "log-in"
    admin = service.by("admin")
    body = {"name": "some-admin", "role": "admin", "password": "another good sentence"}
    assert admin.api("POST", "users", body, status=409)["code"] == "exists"
    change = {"current": "wrong", "new": "another good sentence"}
    assert admin.api("POST", "me/password", change, status=403)["code"] == "wrong-password"
    assert admin.api("POST", "targets", {}, status=400, headers={"X-CSRFToken": "old"})["code"] == "stale-page"
    assert admin.api("GET", "targets/nothing", status=404)["code"] == "not-found"
