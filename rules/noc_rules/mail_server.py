"""What names a mail server: its URL, as settings have it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Self
from urllib.parse import parse_qs, unquote, urlsplit

from noc_rules.mail_address import is_mail_address

SMTP_ACCEPTS: Final = (
    "smtp://[user:password@]host[:587][?starttls=0] or smtps://[user:password@]host[:465], "
    "each also with ca=/path/of/ca.pem after the ?, user and password in ASCII characters"
)
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Smtp:
    """A mail server. `starttls` means required: a server without it is refused, never used in the clear."""

    host: str
    port: int
    tls: bool = False
    starttls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: str | None = None
    """The path of a file of certificates that vouch for the server; None: those of this machine."""
    named_by: str = "NOC_SMTP_URL"
    """Where people set it, for sentences that tell them what to mend."""

    @classmethod
    def parse(cls, url: str) -> Smtp | None:
        """Read `smtp://user:password@host:587?starttls=1` or `smtps://…`. Raises ValueError with the reason."""
        if not url:
            return None
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps"):
            raise ValueError("not smtp or smtps")
        if not parts.hostname:
            raise ValueError("it names no host")
        options = parse_qs(parts.query, strict_parsing=bool(parts.query))
        choice = options.get("starttls", ["0" if parts.hostname in _LOOPBACK else "1"])[0]
        if set(options) - {"starttls", "ca"} or choice not in ("0", "1"):
            raise ValueError("unknown option")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if not (user + password).isascii():
            # smtplib sends no others.
            raise ValueError("not ASCII")
        tls = parts.scheme == "smtps"
        return cls(
            host=parts.hostname,
            port=parts.port or (465 if tls else 587),
            tls=tls,
            starttls=not tls and choice == "1",
            user=user or None,
            password=password or None,
            ca=options["ca"][0] if "ca" in options else None,
        )

    def logging_in(self, user: str, password: str, *, named_by: str) -> Self:
        """The same server with these in place of its URL's; empty: no log-in."""
        return replace(self, user=user or None, password=password or None, named_by=named_by)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_addresses(text: str) -> tuple[str, ...]:
    addresses = tuple(one.strip() for one in text.split(",") if one.strip())
    for address in addresses:
        if not is_mail_address(address):
            raise ValueError(f"{address[:60]!r} is not a mail address")
    return addresses


def parse_sender(text: str) -> str:
    if text and not is_mail_address(text):
        raise ValueError("not a mail address")
    return text
