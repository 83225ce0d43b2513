"""Sites and their keys: one act each for what the catalogue, the broker and the audit must know together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from noc_bus.broker import Broker
from noc_bus.join import Join
from noc_bus.time import Time
from noc_web.broker.accounts import Arrangement, BrokerAccounts, SiteKey
from noc_web.broker.addresses import host_and_port
from noc_web.broker.authority import AuthorityFault, CertificatesOfSites, SiteCertificate, certify_site
from noc_web.broker.files import BrokerFiles
from noc_web.catalog.catalog import Catalog
from noc_web.problem import FieldError, ProblemCode, ProblemError, invalid

_NO_PROXY: Final = (
    "The listener takes nobody without a certificate (NOC_SITE_CERTIFICATES=required), and a proxy that ends TLS cannot "
    "pass on that of a site: have it hand connections on as they are, and name its address as the site's, or use issued."
)
_OF_BEFORE: Final = (
    "The key that {site} had was made by an earlier version. Bring its prober up to date before it gets this token: with "
    "it one of an earlier version is not told what to ping."
)
_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")


@dataclass(frozen=True)
class NewKey:
    site: str
    token: str
    expires_at: Time
    warning: str | None = None
    """What to do before it is used."""


@dataclass(frozen=True)
class Way:
    """How a site is to reach the broker. `addresses` come before those that the listener has; `through`: only by that
    address of a proxy with a certificate that every system trusts: https://, which passes WebSockets on to the listener's
    path /mqtt, or where the broker is a Mosquitto mqtts://, which passes on what is inside TLS."""

    addresses: Sequence[str] = ()
    through: str = ""


class SiteKeys:
    """Every method takes effect at once, live connections included. Usable beside a running service."""

    def __init__(self, data: Path, catalog: Catalog, accounts: BrokerAccounts, files: BrokerFiles) -> None:
        """`data`: the folder that the NOC's own authority is in."""
        self._data = data
        self._catalog = catalog
        self._accounts = accounts
        self._files = files

    def listed(self) -> list[SiteKey]:
        return self._accounts.site_keys()

    def asked_for(self) -> CertificatesOfSites:
        """Whether sites are to show a certificate."""
        return self._accounts.arrangement().certificates

    def lacking_certificate(self) -> list[str]:
        """Sites that are not let in until they have a key that comes with a certificate."""
        return self._accounts.lacking_certificate()

    def has_key(self, site: str) -> bool:
        return any(key.site == site for key in self.listed())

    def add(self, site: str, way: Way, who: str) -> NewKey:
        """Set a site up, and give it a key. One that is set up and has none gets one. Raises ProblemError 409, 422."""
        urls = _urls(self._accounts.arrangement(), way)
        if self.has_key(site):
            sentence = f"The site {site} has a key already; `noc site rotate {site}` replaces it."
            raise ProblemError(409, sentence, code=ProblemCode.EXISTS)
        if site not in self._catalog.contents().sites:
            self._catalog.add_site({"id": site, "label": site}, who)
        return self._new_key(site, urls, way, who, "create site key")

    def rotate(self, site: str, way: Way, who: str) -> NewKey:
        """Another key for a site that is set up; an earlier one is worth nothing from now on.

        Raises ProblemError 404, 409, 422.
        """
        if site not in self._catalog.contents().sites:
            raise ProblemError(404, f"No site {site[:80]!r} is set up.")
        urls = _urls(self._accounts.arrangement(), way)
        return self._new_key(site, urls, way, who, "rotate site key")

    def set_disabled(self, site: str, *, is_disabled: bool, who: str) -> None:
        """Raises ProblemError 404, 409."""
        was_disabled = self._accounts.set_site_disabled(site, is_disabled=is_disabled)
        self._catalog.note(
            who,
            "disable site key" if is_disabled else "enable site key",
            site,
            before={"disabled": was_disabled},
            after={"disabled": is_disabled},
        )
        self._files.write_now()

    def remove(self, site: str, who: str, *, with_history: bool = False) -> None:
        """A site with all that belongs to it; its history goes only where it is asked for. Raises ProblemError 404."""
        # First the key: whoever speaks after the site is gone would be taken for a new site.
        had_key = self._accounts.remove_site(site)
        if had_key:
            self._files.write_now()
        if site in self._catalog.contents().sites:
            self._catalog.delete_site(site, who, with_history=with_history)
        elif had_key:
            self._catalog.note_deleted_key(site, who, with_history=with_history)
        else:
            raise ProblemError(404, f"No site {site[:80]!r} is set up.")

    def _new_key(self, site: str, urls: Sequence[str], way: Way, who: str, act: str) -> NewKey:
        arrangement = self._accounts.arrangement()
        # A proxy has a certificate that every system trusts, and passes none of a site on.
        issued = None if way.through or arrangement.certificates == "none" else self._certificate(site)
        was_before = any(key.site == site and key.reads_all for key in self.listed())
        secret, expires_at = self._accounts.new_site_key(site, has_certificate=issued is not None)
        join = Join(
            urls=tuple(urls),
            site=site,
            secret=secret,
            authority=b"" if way.through else arrangement.authority,
            expires_at=int(expires_at),
            certificate=issued.certificate if issued else b"",
            private_key=issued.private_key if issued else b"",
        )
        self._catalog.note(who, act, site)
        self._files.write_now()
        warning = _OF_BEFORE.format(site=site) if was_before else None
        return NewKey(site, join.token(), expires_at, warning)

    def _certificate(self, site: str) -> SiteCertificate:
        """Raises ProblemError 503."""
        try:
            return certify_site(self._data, site)
        except (AuthorityFault, OSError) as fault:
            raise ProblemError(503, f"No certificate can be made: {fault}.", code=ProblemCode.UNAVAILABLE) from None


def _urls(arrangement: Arrangement, way: Way) -> list[str]:
    """Where the site is to connect, best first. Raises ProblemError 409, 422."""
    if not arrangement.urls:
        sentence = (
            "The broker does not listen for sites: start NOC with --listen ADDRESS (or NOC_LISTEN), 0.0.0.0 for all "
            "addresses of this machine; with Compose or a broker of your own, set NOC_SITES_CONNECT_TO."
        )
        raise ProblemError(409, sentence, code=ProblemCode.NO_LISTENER)
    first = urlsplit(arrangement.urls[0])
    if way.through:
        if arrangement.certificates == "required":
            raise ProblemError(409, _NO_PROXY, code=ProblemCode.NO_LISTENER)
        return [_through(way.through, first.scheme)]
    urls = [f"{first.scheme}://{_host_and_port(one, first.port)}" for one in way.addresses]
    return list(dict.fromkeys([*urls, *arrangement.urls]))


def _through(address: str, scheme: str) -> str:
    """Raises ProblemError 422."""
    wanted = "https" if scheme == "wss" else scheme
    url = f"{scheme}://{address.removeprefix(f'{wanted}://')}"
    if not address.startswith(f"{wanted}://") or not _is_proxy(url) or (scheme != "wss" and urlsplit(url).path):
        # Only the broker that `noc up` brings along speaks MQTT over WebSocket.
        like = "https://noc.example/sites" if scheme == "wss" else "mqtts://noc.example:443"
        sentence = f"through: {address[:80]!r} is not accepted; use an address like {like}."
        raise invalid([FieldError("through", sentence)])
    return url


def _is_proxy(url: str) -> bool:
    """Host, perhaps a port, perhaps a path, and nothing else."""
    try:
        parts = urlsplit(url)
        Broker.parse(url)
    except ValueError:
        return False
    return not (parts.username or parts.query or parts.fragment) and bool(_PATH.fullmatch(parts.path))


def _host_and_port(address: str, usual_port: int | None) -> str:
    """Raises ProblemError 422."""
    try:
        return host_and_port(address, usual_port)
    except ValueError:
        sentence = (
            f"address: {address[:80]!r} is not accepted; use a host name or an IP address, with :PORT where it differs "
            f"from {usual_port}."
        )
        raise invalid([FieldError("addresses", sentence)]) from None
