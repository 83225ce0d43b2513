"""Speaking with a mail server in secret: only with the one that is meant."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from noc_alerter.notify.smtp import NotDelivered, deliver
from noc_rules.mail_server import Smtp
from tests.alerter.conftest import OPS
from tests.alerter.test_smtp import MAIL
from tests.parts.ports import free_port

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl on PATH")

Kind = Literal["starttls", "smtps"]
NAME: Final = "localhost"


class SecureSink:
    """Takes mails by TLS from the first byte, or by STARTTLS and not without."""

    def __init__(self, kind: Kind, context: ssl.SSLContext) -> None:
        self.taken = 0
        port = free_port()
        scheme, query = ("smtps", "") if kind == "smtps" else ("smtp", "?starttls=1")
        self.urls = {host: f"{scheme}://{host}:{port}{query}" for host in (NAME, "127.0.0.1")}
        sink = self

        class Server(Controller):
            def factory(self) -> SMTP:
                if kind == "smtps":
                    return SMTP(sink)
                return SMTP(sink, tls_context=context, require_starttls=True)

        self._controller = Server(
            sink, hostname="127.0.0.1", port=port, ssl_context=context if kind == "smtps" else None
        )
        # Its own first connection knows nothing of this certificate.
        self._controller._trigger_server = lambda: socket.create_connection(("127.0.0.1", port)).close()  # type: ignore[method-assign]
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        self.taken += 1
        return "250 taken"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Signed by itself, with its key, for NAME."""
    folder = tmp_path_factory.mktemp("certificate")
    both = folder / "both.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}",
         "-addext", f"subjectAltName=DNS:{NAME}", "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"],
        capture_output=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    both.write_bytes((folder / "key.pem").read_bytes() + (folder / "certificate.pem").read_bytes())
    return both


@pytest.fixture(params=["starttls", "smtps"])
def sink(request: pytest.FixtureRequest, certificate: Path) -> Iterator[SecureSink]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    sink = SecureSink(request.param, context)
    yield sink
    sink.stop()


def server(sink: SecureSink, host: str, ca: Path | None = None) -> Smtp:
    url = sink.urls[host]
    parsed = Smtp.parse(f"{url}{'&' if '?' in url else '?'}ca={ca}" if ca else url)
    assert parsed is not None
    return parsed


def test_a_server_with_the_right_certificate_gets_the_mail(
    sink: SecureSink, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    deliver(server(sink, NAME), OPS, MAIL)
    assert sink.taken == 1


def test_a_server_vouched_for_by_our_own_authority_gets_the_mail(sink: SecureSink, certificate: Path) -> None:
    assert deliver(server(sink, NAME, certificate), OPS, MAIL) == "250 taken"


@pytest.mark.parametrize("sink", ["starttls"], indirect=True)
def test_a_server_on_this_machine_that_demands_encryption_names_the_right_cure(sink: SecureSink) -> None:
    plain = Smtp.parse(sink.urls[NAME].replace("starttls=1", "starttls=0"))
    assert plain is not None
    with pytest.raises(NotDelivered, match="add \\?starttls=1 to NOC_SMTP_URL"):
        deliver(plain, OPS, MAIL)


def test_a_renewed_file_of_certificates_is_read_at_the_next_connection(
    sink: SecureSink, certificate: Path, tmp_path: Path
) -> None:
    renewed = tmp_path / "ca.pem"
    to = server(sink, NAME, renewed)
    with pytest.raises(NotDelivered, match=r"cannot be read as certificates .* name a readable PEM file after ca="):
        deliver(to, OPS, MAIL)
    renewed.write_bytes(certificate.read_bytes())
    deliver(to, OPS, MAIL)
    assert sink.taken == 1


def test_a_server_whose_certificate_names_another_gets_nothing_and_the_error_names_the_cure(
    sink: SecureSink, certificate: Path
) -> None:
    cure = "write the name that is in its certificate as the host in NOC_SMTP_URL"
    with pytest.raises(NotDelivered, match=cure) as caught:
        deliver(server(sink, "127.0.0.1", certificate), OPS, MAIL)
    assert (caught.value.can_retry, sink.taken) == (True, 0)


def test_a_server_whose_certificate_nobody_vouches_for_gets_nothing_and_the_error_names_the_cure(
    sink: SecureSink,
) -> None:
    with pytest.raises(NotDelivered, match="name the file of the authority that signed it with ca=") as caught:
        deliver(server(sink, NAME), OPS, MAIL)
    assert (caught.value.can_retry, sink.taken) == (True, 0)
