"""A Mosquitto that NOC does not start, as in docker-compose.yml or one of somebody's own: it follows the one table of accounts."""

from __future__ import annotations

import gc
import getpass
import json
import ssl
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from noc_bus import join
from noc_bus.broker import Broker
from noc_bus.channels import DEFAULT_ROOT
from noc_bus.render import mosquitto
from noc_bus.session import Session
from noc_bus.tls import why_refused
from noc_frame.settings import SettingError
from noc_launcher import secret_files
from noc_web import cli
from noc_web.broker import authority
from noc_web.broker.__main__ import renew
from noc_web.broker.config import BrokerConfig
from tests.packaging.repository import ROOT
from tests.parts.ports import free_port, listens
from tests.parts.processes import Processes
from tests.parts.tls_proxy import TlsProxy
from tests.parts.waiting import wait_until

TRY_S = 3.0
CUT_S = 5.0
"""It takes about 0.3 s; the rest is for machines with other things to do."""


@dataclass
class Own:
    """The web service's side of it, and where its Mosquitto is."""

    folder: Path
    port: int
    sites_port: int
    capture: pytest.CaptureFixture[str]

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def accounts(self) -> Path:
        return self.folder / "accounts"

    def keep(
        self, *, sites_connect_to: str = "", certificates: str = "none", given: Sequence[Path | str] = ("", "")
    ) -> None:
        """As the web service does when it starts."""
        settings = {
            "NOC_BROKER_FOLDER": str(self.accounts),
            "NOC_BROKER_USERS_FILE": str(self.folder / "secrets" / "broker_users"),
            "NOC_SITES_CONNECT_TO": sites_connect_to,
            "NOC_SITE_CERTIFICATES": certificates,
            "NOC_TLS_CERT": str(given[0]),
            "NOC_TLS_KEY": str(given[1]),
        }
        BrokerConfig.read(settings).prepare(self.data, DEFAULT_ROOT)

    def url(self, user: str) -> Broker:
        return Broker.parse((self.folder / "secrets" / f"mqtt_{user}_url").read_text().strip())

    def noc(self, *words: str) -> str:
        """What a command of administration prints for machines."""
        self.capture.readouterr()
        assert cli.main([*words, "--data", str(self.data)]) == 0
        return self.capture.readouterr().out

    def join(self, *words: str) -> Broker:
        return join.parse(json.loads(self.noc("site", *words, "--json"))["join"]).broker()


@pytest.fixture
def own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Own:
    found = Own(tmp_path, free_port(), free_port(), capsys)
    found.data.mkdir()
    found.accounts.mkdir()
    secret_files.make(tmp_path / "secrets", "local", f"mqtt://127.0.0.1:{found.port}")
    return found


@pytest.fixture
def mosquitto_sh(own: Own, noc_processes: Processes) -> Processes:
    """deploy/mosquitto.sh, started before there is any account."""
    private, store = own.folder / "private", own.folder / "store"
    for folder in (private, store):
        folder.mkdir(mode=0o700)
    places = mosquitto.Places(
        listener=f"{own.port} 127.0.0.1",
        users=str(private / "mosquitto.users"),
        acl=str(private / "mosquitto.acl"),
        store=str(store),
    )
    config = own.folder / "mosquitto.conf"
    # Root must be told to stay root, else it becomes somebody who may not read these folders.
    config.write_text(mosquitto.render(places, user=getpass.getuser()))
    command: list[str | Path] = [
        ROOT / "deploy" / "mosquitto.sh",
        own.accounts,
        private,
        config,
        f"{own.sites_port} 127.0.0.1",
    ]
    noc_processes.start("mosquitto.sh", command)
    return noc_processes


@contextmanager
def connected(broker: Broker) -> Iterator[Session]:
    session = wait_until(lambda: _connected(broker), 30, f"{broker.user} connected")
    try:
        yield session
    finally:
        session.stop()


def _connected(broker: Broker) -> Session | None:
    """One try: whoever was refused waits longer before the next than a test may take."""
    session = Session(broker, "test")
    session.start()
    end_s = time.monotonic() + TRY_S
    while time.monotonic() < end_s:
        if session.connected:
            return session
        time.sleep(0.02)
    session.stop()
    return None


def test_it_waits_for_the_accounts_and_then_lets_everybody_in_who_has_an_address(
    own: Own, mosquitto_sh: Processes
) -> None:
    sentence = f"waiting for the accounts that NOC's web service writes to {own.accounts}"
    wait_until(lambda: sentence in mosquitto_sh.log("mosquitto.sh"), 10, sentence)
    assert not listens(own.port)
    own.keep()
    wait_until(lambda: listens(own.port), 15, "Mosquitto", seen=lambda: mosquitto_sh.logs)
    for user in ("web", "recorder", "alerter", "reader", "local"):
        with connected(own.url(user)):
            pass
    assert not listens(own.sites_port)
    assert mosquitto_sh.stop("mosquitto.sh")[0] == 0
    assert not listens(own.port)


def test_sites_come_over_tls_and_are_cut_off_at_once_while_others_stay(own: Own, mosquitto_sh: Processes) -> None:
    own.keep(sites_connect_to=f"127.0.0.1:{own.sites_port}")
    wait_until(lambda: listens(own.sites_port), 15, "the listener for sites", seen=lambda: mosquitto_sh.logs)
    losses: list[None] = []
    with connected(own.url("web")) as web:
        web.when_disconnected(lambda: losses.append(None))
        key = own.join("add", "paris")
        with connected(key) as paris:
            own.noc("site", "disable", "paris")
            wait_until(lambda: not paris.connected, CUT_S, "paris cut off")
        own.noc("site", "enable", "paris")
        with connected(key) as paris:
            key = own.join("rotate", "paris")
            wait_until(lambda: not paris.connected, CUT_S, "the old key cut off")
        with connected(key) as paris:
            own.noc("site", "remove", "paris")
            wait_until(lambda: not paris.connected, CUT_S, "the removed site cut off")
        assert web.connected
        assert not losses


def test_the_listener_for_sites_goes_with_its_setting_and_comes_with_it(own: Own, mosquitto_sh: Processes) -> None:
    own.keep(sites_connect_to=f"127.0.0.1:{own.sites_port}")
    wait_until(lambda: listens(own.sites_port), 15, "the listener for sites", seen=lambda: mosquitto_sh.logs)
    own.keep()
    wait_until(lambda: not listens(own.sites_port) and listens(own.port), 15, "no listener for sites")
    own.keep(sites_connect_to=f"127.0.0.1:{own.sites_port}")
    wait_until(lambda: listens(own.sites_port), 15, "the listener for sites again", seen=lambda: mosquitto_sh.logs)


def test_the_listener_for_sites_asks_for_certificates_from_when_they_are_required(
    own: Own, mosquitto_sh: Processes
) -> None:
    here = f"127.0.0.1:{own.sites_port}"
    own.keep(sites_connect_to=here)
    wait_until(lambda: listens(own.sites_port), 15, "the listener for sites", seen=lambda: mosquitto_sh.logs)
    bare = own.join("add", "paris")
    own.keep(sites_connect_to=here, certificates="issued")
    certified = own.join("add", "rome")
    for broker in (bare, certified):
        with connected(broker):
            pass
    own.keep(sites_connect_to=here, certificates="required")
    wait_until(lambda: why_refused(bare), 30, "paris refused", seen=lambda: mosquitto_sh.logs)
    with connected(certified), connected(own.url("web")):
        assert _connected(bare) is None
    own.keep(sites_connect_to=here)
    with connected(bare):
        pass


# Where a certificate is not trusted, paho leaves its socket to Python's collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_sites_know_a_certificate_of_one_s_own_and_its_successor(
    own: Own, mosquitto_sh: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (authority.certify(folder(own, name), folder(own, name), ["127.0.0.1"]) for name in ("a", "b"))
    given = first.certificate, first.key
    own.keep(sites_connect_to=f"127.0.0.1:{own.sites_port}", given=given)
    wait_until(lambda: listens(own.sites_port), 15, "the listener for sites", seen=lambda: mosquitto_sh.logs)
    key = own.join("add", "paris")
    assert key.authority is None
    monkeypatch.setenv("SSL_CERT_FILE", str(own.folder / "a" / authority.CERTIFICATE))
    with connected(key):
        pass
    for old, new in zip(given, (second.certificate, second.key), strict=True):
        old.write_bytes(new.read_bytes())
    renewed = renew(own.data, given)
    assert renewed
    assert not renewed.is_own
    monkeypatch.setenv("SSL_CERT_FILE", str(own.folder / "b" / authority.CERTIFICATE))
    with connected(key):
        pass
    own.keep(sites_connect_to=f"127.0.0.1:{own.sites_port}")
    assert own.join("rotate", "paris").authority
    gc.collect()


def test_a_certificate_of_one_s_own_that_cannot_be_used_is_told_and_not_copied(own: Own) -> None:
    here = f"127.0.0.1:{own.sites_port}"
    good, other = (authority.certify(folder(own, name), folder(own, name), ["127.0.0.1"]) for name in ("a", "b"))
    der, locked = own.folder / "der", own.folder / "locked"
    der.write_bytes(ssl.PEM_cert_to_DER_cert(good.certificate.read_text()))
    private = load_pem_private_key(good.key.read_bytes(), None)
    locked.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"a password")))
    for given in ((der, good.key), (good.certificate, other.key), (good.certificate, locked)):
        with pytest.raises(SettingError, match=f"{given[0]} and {given[1]} cannot be used .*; name a certificate and"):
            own.keep(sites_connect_to=here, given=given)
    assert not (own.accounts / authority.LISTENER_FILES[0]).exists()
    good.certificate.write_bytes("Zürich\n".encode("latin-1") + good.certificate.read_bytes())
    own.keep(sites_connect_to=here, given=(good.certificate, good.key))
    assert own.join("add", "paris").authority is None


def folder(own: Own, name: str) -> Path:
    made = own.folder / name
    made.mkdir(exist_ok=True)
    return made


def test_a_site_joins_through_a_proxy_that_passes_on_what_is_inside_tls(
    own: Own, mosquitto_sh: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.keep(sites_connect_to=f"127.0.0.1:{own.sites_port}")
    wait_until(lambda: listens(own.sites_port), 15, "the listener for sites", seen=lambda: mosquitto_sh.logs)
    made = authority.certify(folder(own, "proxy"), folder(own, "proxy"), ["127.0.0.1"])
    monkeypatch.setenv("SSL_CERT_FILE", str(own.folder / "proxy" / authority.CERTIFICATE))
    with TlsProxy(made.certificate, made.key, "", own.sites_port, "") as proxy:
        key = own.join("add", "paris", "--through", f"mqtts://127.0.0.1:{proxy.port}")
        assert (key.port, key.authority, key.others) == (proxy.port, None, ())
        with connected(key):
            pass
    for wrong in ("https://noc.example/sites", "mqtts://noc.example/x", "mqtts://", "noc.example"):
        assert cli.main(["site", "rotate", "paris", "--through", wrong, "--data", str(own.data)]) == 1
        assert "use an address like mqtts://noc.example:443" in own.capture.readouterr().err


def test_when_mosquitto_dies_so_does_its_start_for_whoever_starts_it_again(own: Own, mosquitto_sh: Processes) -> None:
    (own.folder / "mosquitto.conf").write_text("nonsense\n")
    own.keep()
    wait_until(lambda: not mosquitto_sh.is_running("mosquitto.sh"), 15, "the end", seen=lambda: mosquitto_sh.logs)
    assert mosquitto_sh.stop("mosquitto.sh")[0] != 0


@pytest.mark.parametrize(("mode", "files"), [(0o750, 0o640), (0o2750, 0o640), (0o700, 0o600)])
def test_the_group_may_read_what_is_in_a_folder_that_it_may_read(own: Own, mode: int, files: int) -> None:
    own.accounts.chmod(mode)
    own.keep(sites_connect_to="noc.example")
    found = {file.name: stat.S_IMODE(file.stat().st_mode) for file in own.accounts.iterdir() if file.name[0] != "."}
    assert found == dict.fromkeys(
        ("accounts.nats", "listener.key", "listener.pem", "mosquitto.acl", "mosquitto.users", "revision"), files
    )


def test_a_second_start_of_the_web_service_changes_nothing(own: Own) -> None:
    own.keep(sites_connect_to="noc.example,192.0.2.7:9000")
    before = {file.name: file.read_bytes() for file in own.accounts.iterdir()}
    own.keep(sites_connect_to="noc.example,192.0.2.7:9000")
    assert {file.name: file.read_bytes() for file in own.accounts.iterdir()} == before
    urls = join.parse(json.loads(own.noc("site", "add", "paris", "--json"))["join"]).urls
    assert urls == ("mqtts://noc.example:8883", "mqtts://192.0.2.7:9000")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"NOC_BROKER_USERS_FILE": ""},
            "NOC_BROKER_FOLDER and NOC_BROKER_USERS belong together; set both, or neither.",
        ),
        ({"NOC_BROKER_FOLDER": ""}, "NOC_BROKER_FOLDER and NOC_BROKER_USERS belong together; set both, or neither."),
        ({"NOC_SITES_CONNECT_TO": "a b"}, "NOC_SITES_CONNECT_TO: 'a b' is not accepted"),
        ({"NOC_SITES_CONNECT_TO": "noc.example:99999"}, "NOC_SITES_CONNECT_TO: 'noc.example:99999' is not accepted"),
        (
            {"NOC_BROKER_FOLDER": "", "NOC_BROKER_USERS_FILE": "", "NOC_SITES_CONNECT_TO": "noc.example"},
            "NOC_SITES_CONNECT_TO is for the broker in NOC_BROKER_FOLDER; set that, too.",
        ),
        (
            {"NOC_BROKER_USERS_FILE": "", "NOC_BROKER_USERS": "web:password"},
            "NOC_BROKER_USERS: the value given is not accepted; use lines USER:HASH:HASH",
        ),
        (
            {"NOC_BROKER_USERS_FILE": "", "NOC_BROKER_USERS": "local:$7$101$a$b:$2b$04$c"},
            "NOC_BROKER_USERS: there is no line of web, recorder, alerter; `noc secrets` writes all.",
        ),
    ],
    ids=["no users", "no folder", "no host", "no port", "sites alone", "no hashes", "no services"],
)
def test_a_wrong_setting_is_one_sentence(own: Own, changed: dict[str, str], sentence: str) -> None:
    settings = {
        "NOC_BROKER_FOLDER": str(own.accounts),
        "NOC_BROKER_USERS_FILE": str(own.folder / "secrets" / "broker_users"),
    }
    with pytest.raises(SettingError) as refused:
        BrokerConfig.read(settings | changed)
    assert str(refused.value).startswith(sentence)
