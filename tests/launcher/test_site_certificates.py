"""Certificates of sites: a listener that asks for one speaks to nobody else, on both brokers, and says so in words."""

from __future__ import annotations

import datetime as dt
import gc
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_der_private_key, load_pem_private_key
from msgspec.structs import replace

from noc_bus import join
from noc_bus.join import Join
from noc_bus.session import Session
from noc_frame.finding import Finding
from noc_launcher.brokers import mosquitto, nats
from noc_launcher.listening import Listener
from noc_launcher.site_doctor import walk
from noc_web.broker import authority
from noc_web.broker.__main__ import prepare
from noc_web.broker.accounts import Arrangement, BrokerAccounts
from noc_web.broker.files import BrokerFiles
from noc_web.broker.sites import SiteKeys, Way
from noc_web.catalog.catalog import Catalog
from noc_web.database.opening import Database
from noc_web.problem import ProblemError
from tests.parts.ports import free_port, listens
from tests.parts.processes import Processes
from tests.parts.tls_proxy import TlsProxy
from tests.parts.waiting import wait_until

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
BROKERS = {"nats": nats, "mosquitto": mosquitto}
REPLACED = "was replaced, disabled or removed there, for it has not expired"


@dataclass
class Noc:
    data: Path
    folder: Path
    url: str
    processes: Processes | None

    def arrange(self, certificates: authority.CertificatesOfSites) -> None:
        arrangement = Arrangement(str(self.folder), anonymous_read=True, urls=(self.url,), certificates=certificates)
        prepare(self.data, arrangement, {"web": "w"}, ["127.0.0.1"])

    def give(self, act: str, site: str, through: str = "") -> Join:
        """The token that `noc site add` or `rotate` prints."""
        with closing(Database(self.data)) as database:
            accounts = BrokerAccounts(database)
            keys = SiteKeys(self.data, Catalog(database), accounts, BrokerFiles(accounts))
            make = keys.add if act == "add" else keys.rotate
            key = join.parse(make(site, Way(through=through), "test").token)
        if self.processes:
            # As `noc up` does once the revision in the folder is another one.
            os.kill(self.processes.pid("broker"), signal.SIGHUP)
        return key


@pytest.fixture(scope="module", params=list(BROKERS))
def noc(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Noc]:
    """A broker of `noc up` whose listener asks for certificates; before it did, paris was given a token."""
    kind: str = request.param
    if kind == "mosquitto" and not shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin"):
        pytest.skip("needs mosquitto")
    data = tmp_path_factory.mktemp(kind)
    port, broker = free_port(), BROKERS[kind]
    with Processes(data / "logs") as processes:
        made = Noc(data, data / "broker", f"{broker.SCHEME}://127.0.0.1:{port}", processes)
        made.folder.mkdir()
        made.arrange("required")
        listener = Listener("127.0.0.1", port, certificates="required")
        processes.start("broker", broker.prepare(made.folder, free_port(), listener))
        wait_until(lambda: listens(port), 15, "a broker", seen=lambda: processes.logs)
        yield made


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Where the upgrade is refused, paho leaves its socket to Python's collector."""
    yield
    gc.collect()


def failed(key: Join) -> Finding:
    *before, last = walk(key.broker())
    assert {one.level for one in before} <= {"ok"}
    assert last.level == "fail"
    return last


def is_let_in(key: Join) -> bool:
    return "rights" in [one.name for one in walk(key.broker()) if one.level == "ok"]


def test_with_its_certificate_and_secret_a_site_is_let_in_and_the_token_fits_a_line(noc: Noc) -> None:
    key = noc.give("add", "lyon")
    assert wait_until(lambda: is_let_in(key), 30, "lyon let in")
    assert len(key.token()) < 1400


def test_a_token_without_one_gets_no_further_than_the_handshake(noc: Noc) -> None:
    noc.arrange("none")
    bare = noc.give("add", "nice")
    noc.arrange("required")
    assert failed(bare) == Finding(
        "tls",
        "fail",
        f"the broker {bare.broker()} cannot be reached: it asks for a certificate, and we have none: "
        "get another token with `noc site rotate nice`",
    )
    with closing(Database(noc.data)) as database:
        (nice,) = [key for key in BrokerAccounts(database).site_keys() if key.site == "nice"]
    assert nice.lacks_one


def test_a_prober_without_one_says_so_too(noc: Noc) -> None:
    session = Session(replace(noc.give("add", "brest"), certificate=b"").broker(), "noc-prober-brest")
    session.start()
    try:
        said = "it asks for a certificate, and we have none: get another token with `noc site rotate brest`"
        wait_until(lambda: (session.trouble or "").endswith(said), 30, said, seen=lambda: session.trouble)
    finally:
        session.stop()


def test_the_certificate_of_another_noc_is_not_taken(noc: Noc, tmp_path: Path) -> None:
    foreign = authority.certify_site(tmp_path, "metz")
    key = replace(noc.give("add", "metz"), certificate=foreign.certificate, private_key=foreign.private_key)
    found = failed(key)
    assert found.name == "tls"
    assert found.text.endswith(
        "it does not take our certificate, which is not of the authority that it asks for: "
        "get another token with `noc site rotate metz`"
    )


def test_a_certificate_that_has_expired_is_told(noc: Noc) -> None:
    key = noc.give("add", "tours")
    found = failed(replace(key, certificate=expired(noc.data, key)))
    assert found.name == "tls"
    assert found.text.endswith(
        "it says that our certificate is not valid now; check the clocks of both machines, "
        "or get another token with `noc site rotate tours`"
    )


def expired(data: Path, key: Join) -> bytes:
    """The site's certificate as it would be had it ended a moment ago."""
    now = dt.datetime.now(dt.UTC)
    signing = load_pem_private_key((data / authority.KEY).read_bytes(), None)
    of = x509.load_der_x509_certificate(key.certificate)
    made = (
        x509.CertificateBuilder()
        .subject_name(of.subject)
        .issuer_name(of.issuer)
        .public_key(load_der_private_key(key.private_key, None).public_key())  # type: ignore[arg-type]  # of that kind
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=9))
        .not_valid_after(now - dt.timedelta(minutes=1))
        .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    return made.sign(signing, hashes.SHA256()).public_bytes(Encoding.DER)  # type: ignore[arg-type]  # of that kind


def test_a_certificate_alone_opens_nothing_and_rotating_ends_the_token_it_was_in(noc: Noc) -> None:
    old = noc.give("add", "dijon")
    assert wait_until(lambda: is_let_in(old), 30, "dijon let in")
    new = noc.give("rotate", "dijon")
    assert wait_until(lambda: is_let_in(new), 30, "dijon let in again")
    for worthless in (old, replace(new, secret="another")):
        found = failed(worthless)
        assert (found.name, REPLACED in found.text) == ("login", True)


def test_no_site_can_pass_for_the_listener(noc: Noc, tmp_path: Path) -> None:
    """Both are signed by the one authority, whatever they are called."""
    key = noc.give("add", "lille")
    files = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate, private = key.broker().certificate.split("-----BEGIN PRIVATE")  # type: ignore[union-attr]
    files[0].write_text(certificate)
    files[1].write_text(f"-----BEGIN PRIVATE{private}")
    with TlsProxy(*files, "/mqtt", free_port(), "/mqtt") as impostor:
        found = failed(replace(key, urls=(f"wss://127.0.0.1:{impostor.port}",)))
    assert found.name == "tls"
    assert "its certificate is not one of the NOC that made this token (unsuitable certificate purpose)" in found.text


def test_a_proxy_that_ends_tls_can_bring_nobody_and_that_is_said(tmp_path: Path) -> None:
    noc = Noc(tmp_path, tmp_path / "broker", "wss://127.0.0.1:8883", None)
    noc.folder.mkdir()
    noc.arrange("required")
    with pytest.raises(ProblemError, match="a proxy that ends TLS cannot pass on that of a site"):
        noc.give("add", "nancy", "https://noc.example/sites")
    noc.arrange("issued")
    assert noc.give("add", "nancy", "https://noc.example/sites").certificate == b""
    assert noc.give("add", "rouen").certificate
    assert not (noc.folder / authority.SITES_AUTHORITY).exists()
