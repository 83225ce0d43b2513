"""The NOC's own certificate authority: made on first use, it signs for the broker's listener and for nothing else.

Sites trust it alone, by its certificate in their token, so that the listener may get other names, addresses
and certificates without a visit to any of them. cryptography is imported only where something is signed.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta

from noc_bus.time import Time
from noc_frame.files import write_private
from noc_frame.settings import Setting
from noc_web.broker.folder import put

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate

CERTIFICATE: Final = "noc-authority.pem"
KEY: Final = "noc-authority.key"
LISTENER_FILES: Final = ("listener.pem", "listener.key")
"""Certificate and key, in the broker's folder."""
TLS_CERTIFICATE: Final = Setting(
    "NOC_TLS_CERT",
    str,
    "the path of a PEM file",
    "the certificate for NOC_LISTEN, with those between it and its authority; empty: one of the NOC's own",
    default="",
)
_AUTHORITY_LIFE: Final = dt.timedelta(days=30 * 365)
_LIFE: Final = dt.timedelta(days=397)
RENEWED_BEFORE: Final = dt.timedelta(days=60)
# A site whose clock is behind still connects.
_BACKDATED: Final = dt.timedelta(days=2)


class ListenerCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """By what sites know the broker's listener."""

    issuer: Annotated[str, Meta(description="the common name of the authority that signed it")]
    names: Annotated[list[str], Meta(description="names and addresses of the listener that are in it")]
    valid_until: Time
    is_own: Annotated[bool, Meta(description="true: of this NOC's own authority, and renewed before it expires")]


class AuthorityFault(Exception):
    """What is there cannot be used. The text names the file and the cure."""


@dataclass(frozen=True)
class Listener:
    """What a broker's listener needs: two PEM files. `authority`: who signed it, as DER."""

    certificate: Path
    key: Path
    authority: bytes


def certify(data: Path, folder: Path, names: Sequence[str], now: dt.datetime | None = None) -> Listener:
    """A certificate in `folder` for a listener of these names and addresses; the one that is there where it will do.

    The authority is in `data`, with what is worth a backup. Raises AuthorityFault, OSError.
    """
    from cryptography.hazmat.primitives.serialization import Encoding

    now = now or dt.datetime.now(dt.UTC)
    authority, signing = _authority(data, now)
    certificate, key = (folder / name for name in LISTENER_FILES)
    listener = Listener(certificate, key, authority.public_bytes(Encoding.DER))
    if not _will_do(listener, authority, names, now):
        _sign(listener, authority, signing, names, now)
    return listener


def look_at(certificate: Path, *, is_own: bool) -> ListenerCertificate:
    """What the first certificate of a PEM file says. Raises AuthorityFault, OSError."""
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except ValueError as error:
        raise AuthorityFault(f"{certificate} is no certificate ({error}); name a PEM file") from None
    signed_by = found.issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    try:
        named = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = [str(one.value) for one in named if isinstance(one, (x509.DNSName, x509.IPAddress))]
    except x509.ExtensionNotFound:
        names = []
    return ListenerCertificate(
        issuer=str(signed_by[0].value) if signed_by else found.issuer.rfc4514_string(),
        names=names,
        valid_until=Time(int(found.not_valid_after_utc.timestamp() * 1000)),
        is_own=is_own,
    )


def _authority(data: Path, now: dt.datetime) -> tuple[Certificate, EllipticCurvePrivateKey]:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    certificate, key = data / CERTIFICATE, data / KEY
    if not certificate.exists() and not key.exists():
        _make_authority(certificate, key, now)
    try:
        signing: Any = load_pem_private_key(key.read_bytes(), None)
        authority = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise AuthorityFault(
            f"{certificate} and {key.name} beside it cannot be used ({error}); put them back from a backup, "
            "or remove both and give every site another token"
        ) from None
    if authority.public_key() != signing.public_key():
        raise AuthorityFault(f"{certificate} and {key.name} do not belong together; put both back from a backup")
    return authority, signing


def _make_authority(certificate: Path, key: Path, now: dt.datetime) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    signing = ec.generate_private_key(ec.SECP256R1())
    # Another name for each, so that one is never taken for the other.
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"NOC {secrets.token_hex(4)}")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(signing.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + _AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(signing, hashes.SHA256())
    )
    # The key first: a certificate without one could sign nothing, and would be found at the next start.
    write_private(key, _pem(signing))
    write_private(certificate, made.public_bytes(serialization.Encoding.PEM).decode())


def _will_do(listener: Listener, authority: Certificate, names: Sequence[str], now: dt.datetime) -> bool:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    try:
        certificate = x509.load_pem_x509_certificate(listener.certificate.read_bytes())
        certificate.verify_directly_issued_by(authority)
    except (OSError, ValueError, InvalidSignature):
        return False
    covered = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    left = certificate.not_valid_after_utc - now
    return listener.key.exists() and set(covered) == {*_general_names(names)} and left > RENEWED_BEFORE


def _sign(
    listener: Listener, authority: Certificate, signing: EllipticCurvePrivateKey, names: Sequence[str], now: dt.datetime
) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "NOC broker")]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(min(now + _LIFE, authority.not_valid_after_utc))
        .add_extension(x509.SubjectAlternativeName(_general_names(names)), critical=False)
        .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(signing, hashes.SHA256())
    )
    put(listener.key, _pem(key))
    put(listener.certificate, made.public_bytes(serialization.Encoding.PEM).decode())


def _general_names(names: Sequence[str]) -> list[Any]:
    from cryptography import x509

    found: list[Any] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found


def _pem(key: EllipticCurvePrivateKey) -> str:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
