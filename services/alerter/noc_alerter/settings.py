"""By what means people are told: what the environment sets, and for the rest what Settings has.

The web service keeps these settings and retains them on the broker, sealed: everybody may read the broker, and there
are passwords in them. What came last is kept here too, still sealed, so that people are told without broker and web
service, and above all of their being away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from noc_alerter.config import Config
from noc_bus.bus import Bus
from noc_bus.channels import SEALED
from noc_bus.codec import BadMessage, decode
from noc_bus.messages import NotificationSettings, SealedSettings
from noc_bus.sealed import NotOpened, SealingKey
from noc_frame import log
from noc_frame.files import write_private
from noc_frame.settings import SettingError
from noc_rules.mail_server import Smtp
from noc_rules.telling import Book

_READER: Final = "alerter"
_NAMED_BY: Final = "the mail server in Settings"
NO_SERVER: Final = "no mail server is set: enter one in Settings, or set NOC_SMTP_URL for the alerter"
NO_SENDER: Final = "the mails have no sender: enter one in Settings, or set NOC_MAIL_FROM for the alerter"


@dataclass(frozen=True)
class Means:
    """What is in force at one moment."""

    smtp: Smtp | None = None
    sender: str = ""
    book: Book = field(default_factory=Book)
    """Who there is to be told."""
    heartbeat_url: str = field(default="", repr=False)
    heartbeat_s: int = 60

    @property
    def mail_to(self) -> tuple[str, ...]:
        """Who is told of an incident when nobody else is."""
        return self.book.everybody

    @property
    def why_no_mail(self) -> str | None:
        """In a sentence, what is missing before a mail can be sent; None: nothing."""
        if self.smtp is None:
            return NO_SERVER
        return None if self.sender else NO_SENDER


@dataclass
class Settings:
    """Read from any thread; `means` is replaced as a whole."""

    config: Config
    key: SealingKey
    means: Means = field(default_factory=Means)

    @classmethod
    def load(cls, config: Config) -> Settings:
        """As they were when this process last ran. Raises SettingError for a data folder that cannot be used."""
        try:
            settings = cls(config, SealingKey(config.data / "alerter.key"))
            kept = settings._file.read_text(encoding="ascii") if settings._file.exists() else ""
        except (OSError, UnicodeDecodeError) as error:
            raise SettingError(f"NOC_DATA: {error}.") from None
        settings._put(settings._opened(kept) if kept else NotificationSettings())
        return settings

    def listen(self, bus: Bus) -> None:
        bus.subscribe(SEALED, self._on_sealed, reader=_READER)

    @property
    def environment(self) -> dict[str, str]:
        """What our environment sets and Settings therefore does not, without secrets."""
        config = self.config
        given = {
            "NOC_SMTP_URL": str(config.smtp) if config.smtp else "",
            "NOC_MAIL_FROM": config.mail_from,
            "NOC_MAIL_TO": ", ".join(config.mail_to)[:2000],
        }
        return {name: value for name, value in given.items() if value}

    @property
    def _file(self) -> Path:
        return self.config.data / "alerter-settings.sealed"

    def _on_sealed(self, message: SealedSettings | None, variables: dict[str, str]) -> None:
        """On the bus's thread. What is cleared stays in force: a broker that forgot it takes nothing away."""
        if message is None:
            return
        found = self._opened(message.content)
        if found is None:
            return
        try:
            write_private(self._file, message.content)
        except OSError as error:
            log.get("noc.alerter").error(f"the settings cannot be kept in {self._file} ({error}); they are in force")
        self._put(found)

    def _opened(self, content: str) -> NotificationSettings | None:
        try:
            return decode(self.key.opened(content), NotificationSettings)
        except (NotOpened, BadMessage) as error:
            log.get("noc.alerter").warning(f"settings are not taken: {error}; the web service seals them again")
            return None

    def _put(self, found: NotificationSettings | None) -> None:
        means = _means(self.config, found or NotificationSettings())
        if means != self.means:
            self.means = means


def _means(config: Config, found: NotificationSettings) -> Means:
    return Means(
        smtp=config.smtp or _server(found),
        sender=config.mail_from or found.mail_from,
        book=Book(
            contacts={one.id: one for one in found.contacts},
            routes=tuple(found.routes),
            everybody=config.mail_to or tuple(found.mail_to),
        ),
        heartbeat_url=found.heartbeat_url,
        heartbeat_s=found.heartbeat_s,
    )


def _server(found: NotificationSettings) -> Smtp | None:
    try:
        server = Smtp.parse(found.mail_server)
    except ValueError as error:
        # The web service has looked at it: a newer version's may have what this one does not know.
        log.get("noc.alerter").error(f"the mail server in Settings is not accepted: {error}")
        return None
    if server is None:
        return None
    return server.logging_in(found.mail_user, found.mail_password, named_by=_NAMED_BY)
