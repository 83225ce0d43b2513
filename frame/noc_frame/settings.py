"""Settings are environment variables. One table per service; a wrong value is one sentence.

Each variable may also be given as `NAME_FILE`, the path of a file whose content is the value:
that is how secrets are handed over.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")
# What documentation has in the place of a secret; random ones have no such word that stands alone.
_SAMPLE = re.compile(r"(?<![A-Za-z0-9])(?:PASSWORD|TOKEN|SECRET|(?i:change[-_]?me))(?![A-Za-z0-9])")


class SettingError(Exception):
    """A setting has a value that is not accepted. The text names the variable and what it accepts."""


@dataclass(frozen=True)
class Setting(Generic[T]):
    """One environment variable: how its text becomes a value, and what it means.

    `parse` raises ValueError for a text it does not accept. `default` is a text too, so that
    it goes the same way; None means the variable must be set.
    """

    name: str
    parse: Callable[[str], T]
    accepts: str
    meaning: str
    default: str | None = None
    secret: bool = False
    may_be_empty: bool = False
    """An empty file says something of its own; that of any other setting was not filled in."""

    def read(self, environment: Mapping[str, str]) -> T:
        text, source = self._text(environment)
        if self.secret and (sample := _SAMPLE.search(text)):
            raise SettingError(f"{source}: it still has the sample {sample[0]} in it; put your own in its place.")
        try:
            return self.parse(text)
        except ValueError as error:
            shown = "the value given" if self.secret else repr(text[:100])
            detail = f" ({error})" if str(error) and not self.secret else ""
            raise SettingError(f"{source}: {shown} is not accepted{detail}; use {self.accepts}.") from None

    def is_set(self, environment: Mapping[str, str]) -> bool:
        """Whether it has a value, directly or by its file."""
        return bool(environment.get(self.name) or environment.get(f"{self.name}_FILE"))

    def _text(self, environment: Mapping[str, str]) -> tuple[str, str]:
        direct, path = environment.get(self.name), environment.get(f"{self.name}_FILE")
        if direct and path:
            raise SettingError(f"{self.name} and {self.name}_FILE are both set; set only one of them.")
        if path:
            try:
                text = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise SettingError(
                    f"{self.name}_FILE: {path!r} cannot be read ({error}); name a readable file."
                ) from None
            if not text and not self.may_be_empty:
                raise SettingError(f"{self.name}_FILE: the file {path!r} is empty; use {self.accepts}.")
            return text, f"{self.name}_FILE"
        if direct:
            return direct, self.name
        if self.default is None:
            raise SettingError(f"{self.name} is not set; use {self.accepts}.")
        return self.default, self.name


def unknown_names(environment: Mapping[str, str], known: Iterable[str]) -> list[str]:
    """A sentence for each NOC_ variable that nothing reads: most often a slip of the pen."""
    names = {*known}
    names |= {f"{name}_FILE" for name in names}
    sentences = []
    for name in sorted(environment):
        if name.startswith("NOC_") and not name.startswith("NOC_TEST_") and name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean {near[0]}?" if near else "."
            sentences.append(f"{name} is set, but no setting has that name{hint}")
    return sentences


def set_over(environment: Mapping[str, str], values: Mapping[str, str | None]) -> dict[str, str]:
    """The environment with these variables, but for None; one that is set directly is no longer read from a file."""
    given = {name: value for name, value in values.items() if value is not None}
    kept = {name: value for name, value in environment.items() if name.removesuffix("_FILE") not in given}
    return kept | given


def table(settings: Sequence[Setting[Any]]) -> str:
    """The settings as text for `--help`."""
    lines = ["settings (environment variables, each also as NAME_FILE, the path of a file with the value):"]
    for setting in settings:
        default = "required" if setting.default is None else f"default {setting.default or 'none'}"
        lines += [f"  {setting.name}", f"      {setting.meaning}", f"      {setting.accepts}; {default}"]
    return "\n".join(lines)


def parse_folder(text: str) -> Path:
    """A folder that exists and can be written, made where it is missing."""
    try:
        folder = Path(text).expanduser()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise ValueError(f"{error.strerror}: {error.filename}") from None
    except RuntimeError:
        raise ValueError("that home folder is not known") from None
    return folder.resolve()


def parse_log(text: str) -> str:
    if text not in ("debug", "info", "warning", "error"):
        raise ValueError("")
    return text


def parse_public_url(text: str) -> str:
    """Scheme, host and port alone: the service answers at the root, and links in mails go to many people."""
    parts = urlsplit(text)
    if not text:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname or not text.isprintable() or " " in text:
        raise ValueError("no address")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it has a user or a password in it")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("it has a path; give NOC a host name of its own")
    if parts.port == 0:
        raise ValueError("port 0")
    return text.rstrip("/")


DATA = Setting(
    "NOC_DATA", parse_folder, "the path of a folder this user may write", "where files are kept", default="data"
)
LOG = Setting("NOC_LOG", parse_log, "debug, info, warning or error", "the least serious log line shown", default="info")
PUBLIC_URL = Setting(
    "NOC_PUBLIC_URL",
    parse_public_url,
    "http://host or https://host, with a port where it is not the usual one",
    "where browsers reach the web service, when it is behind a proxy; links in mails begin with it",
    default="",
)

# Every setting of every service, so that a misspelt one can be told from another service's.
ALL_NAMES = (
    "NOC_DATA", "NOC_MQTT_URL", "NOC_JOIN", "NOC_SITE", "NOC_HISTORY_URL", "NOC_SMTP_URL", "NOC_MAIL_FROM", "NOC_MAIL_TO",
    "NOC_MAIL_ZONE", "NOC_MAIL_TEMPLATES", "NOC_GROUP_WAIT_S",
    "NOC_HTTP_HOST", "NOC_HTTP_PORT", "NOC_ADMIN_PASSWORD", "NOC_PUBLIC_URL", "NOC_TRUSTED_PROXIES", "NOC_AUDIT_KEEP_DAYS",
    "NOC_BROKER_FOLDER", "NOC_BROKER_USERS", "NOC_SITES_CONNECT_TO", "NOC_SITE_CERTIFICATES",
    "NOC_LISTEN", "NOC_TLS_CERT", "NOC_TLS_KEY", "NOC_LOG",
    "NOC_REPORT_TITLE", "NOC_REPORT_LOGO",
)  # fmt: skip
