"""The NOC's own certificate authority: made on first use, it signs for the broker's listener and, where they are to
show certificates, for sites.

Sites trust it alone, by its certificate in their token, so that the listener may get other names, addresses
and certificates without a visit to any of them. What it signs for a site is good for a client alone: no site can pass
for the listener. cryptography is imported only where something is signed.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import secrets
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args

import msgspec
from msgspec import Meta

from noc_bus.time import Time
from noc_frame.files import write_private
from noc_frame.settings import Setting, SettingError
from noc_web.broker.folder import content, put

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, ObjectIdentifier

CERTIFICATE: Final = "noc-authority.pem"
KEY: Final = "noc-authority.key"
LISTENER_FILES: Final = ("listener.pem", "listener.key")
"""Certificate and key, in the broker's folder."""
SITES_AUTHORITY: Final = "sites-authority.pem"
"""There only while the listener is to ask for a certificate that this authority has signed."""
TLS_CERTIFICATE: Final = Setting(
    "NOC_TLS_CERT",
    str,
    "the path of a PEM file",
    "the certificate for NOC_LISTEN or NOC_SITES_CONNECT_TO, with those between it and its authority; empty: one of the NOC's own",
    default="",
)
TLS_KEY: Final = Setting(
    "NOC_TLS_KEY", str, "the path of a PEM file", "the private key that belongs to NOC_TLS_CERT", default=""
)
CertificatesOfSites = Literal["none", "issued", "required"]
_CERTIFICATES_OF_SITES: Final[Mapping[str, CertificatesOfSites]] = {
    word: word for word in get_args(CertificatesOfSites)
}


def _parse_certificates(text: str) -> CertificatesOfSites:
    if text not in _CERTIFICATES_OF_SITES:
        raise ValueError("")
    return _CERTIFICATES_OF_SITES[text]


SITE_CERTIFICATES: Final = Setting(
    "NOC_SITE_CERTIFICATES",
    _parse_certificates,
    "none, issued or required",
    "whether the tokens of sites carry a certificate (issued), without which the listener ends the handshake (required)",
    default="none",
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


@dataclass(frozen=True)
class SiteCertificate:
    """What a site shows to the listener, both as DER."""

    certificate: bytes
    private_key: bytes


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


def read_given(environment: Mapping[str, str]) -> tuple[Path, Path] | None:
    """The user's own certificate and key for the listener; None: the NOC makes them. Raises SettingError."""
    certificate, key = TLS_CERTIFICATE.read(environment), TLS_KEY.read(environment)
    if bool(certificate) != bool(key):
        raise SettingError(f"{TLS_CERTIFICATE.name} and {TLS_KEY.name} belong together; set both, or neither.")
    if not certificate:
        return None
    given = Path(certificate).absolute(), Path(key).absolute()
    for setting, file in zip((TLS_CERTIFICATE, TLS_KEY), given, strict=True):
        if not os.access(file, os.R_OK):
            raise SettingError(f"{setting.name}: {str(file)!r} cannot be read; name a readable PEM file.")
    return given


def copy_given(given: Sequence[Path], folder: Path) -> None:
    """Certificate and key for a broker that reads them in `folder` alone. Raises AuthorityFault, OSError."""
    certificate, key = given
    try:
        # With a password, or OpenSSL asks for one.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        raise AuthorityFault(
            f"{certificate} and {key} cannot be used ({error.reason or error}); "
            "name a certificate and the key that belongs to it, as PEM files and without a password"
        ) from None
    for file, name in zip(given, LISTENER_FILES, strict=True):
        # Around what counts, such a file may say anything.
        text = file.read_text(encoding="utf-8", errors="replace")
        if content(folder / name) != text:
            put(folder / name, text)


def certify_site(data: Path, site: str, now: dt.datetime | None = None) -> SiteCertificate:
    """A certificate for a site, good as long as the authority: a site is let in by its secret, which ends at once.

    Raises AuthorityFault, OSError.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    now = now or dt.datetime.now(dt.UTC)
    authority, signing = _authority(data, now)
    purpose = x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH
    made, key = _signed(authority, signing, site, purpose, (now - _BACKDATED, authority.not_valid_after_utc))
    return SiteCertificate(
        made.public_bytes(serialization.Encoding.DER),
        key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def tell_authority(data: Path, folder: Path, *, is_asked_for: bool) -> None:
    """The authority's certificate in the broker's folder, where the listener is to ask for one of it.

    Raises AuthorityFault, OSError.
    """
    file = folder / SITES_AUTHORITY
    if not is_asked_for:
        file.unlink(missing_ok=True)
        return
    _authority(data, dt.datetime.now(dt.UTC))
    put(file, (data / CERTIFICATE).read_text(encoding="ascii"))


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
    from cryptography.hazmat.primitives import serialization

    purpose = x509.oid.ExtendedKeyUsageOID.SERVER_AUTH
    valid = now - _BACKDATED, min(now + _LIFE, authority.not_valid_after_utc)
    made, key = _signed(authority, signing, "NOC broker", purpose, valid, names)
    put(listener.key, _pem(key))
    put(listener.certificate, made.public_bytes(serialization.Encoding.PEM).decode())


def _signed(
    authority: Certificate,
    signing: EllipticCurvePrivateKey,
    whose: str,
    purpose: ObjectIdentifier,
    valid: tuple[dt.datetime, dt.datetime],
    names: Sequence[str] = (),
) -> tuple[Certificate, EllipticCurvePrivateKey]:
    """A certificate for this purpose alone, and its new key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    wanted = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, whose)]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    )
    if names:
        wanted = wanted.add_extension(x509.SubjectAlternativeName(_general_names(names)), critical=False)
    return wanted.sign(signing, hashes.SHA256()), key


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
