"""Whether a service is there: its retained sign of life, its last will, and the question whether it lives."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any, Final, Generic, Protocol, TypeVar

from msgspec.structs import replace

from noc_bus.broker import Broker
from noc_bus.bus import Bus
from noc_bus.channels import PROBERS, SERVICES, Channel
from noc_bus.messages import Presence, ProberPresence, ServicePresence, Summary
from noc_bus.session import Session
from noc_bus.time import Time
from noc_frame import log

P = TypeVar("P", bound=Presence)

PRESENCE_EVERY_S: Final = 10
SOON_S: Final = 2.0
"""So long after what it retains changed a process says what it has retained now."""
SILENT_AFTER_S: Final = 35.0
"""Who says nothing for so long is not there, whatever is retained: a broker that died too told no last will."""
NO_MAIL: Final = "no-mail"
"""The code of an alerter's presence where no mail is set up: it does its work, and nobody will be told."""
BUSY: Final = "busy"
"""The code of a refused mail test: the one before it is not over."""
_HEALTH_WAIT_S: Final = 4.0
# So many of our own presences are told from those of a copy of ours: of half an hour and more.
_SENT_KEPT: Final = 1000


def offline(service: str, instance: str) -> tuple[Channel[ServicePresence], ServicePresence]:
    """The last will of a central service."""
    return SERVICES, ServicePresence(service=service, online=False, instance=instance)


@cache
def _version(service: str) -> str:
    """Kept: to look it up opens a file, which must not be needed to say that one is there."""
    return version(f"noc-{service}")


def presence(
    service: str, since: Time, figures: Mapping[str, float], trouble: str | None = None, code: str | None = None
) -> ServicePresence:
    """A central service's sign of life, for an Announcer to publish."""
    return ServicePresence(
        service=service,
        online=True,
        version=_version(service),
        since=since,
        at=Time.now(),
        figures=dict(figures),
        trouble=trouble,
        code=code,
    )


class Kept(Protocol):
    """What a process keeps retained on one channel."""

    @property
    def channel(self) -> Channel[Any]: ...

    def summary(self) -> Summary: ...

    def tick(self) -> None: ...


class Announcer(Generic[P]):
    """Says that this process is there: on each connection, every ten seconds, and soon after what it retains changed.

    It also notices another process with its name. The one that started later must keep silent until the
    other is gone: its bus is muted, and only its presence says, unretained, that it is there.
    """

    def __init__(
        self,
        bus: Bus,
        channel: Channel[P],
        make: Callable[[], P],
        published: Sequence[Kept] = (),
        *,
        soon_s: float = SOON_S,
        clock: Callable[[], float] = time.monotonic,
        **variables: str,
    ) -> None:
        """`make` gives the presence; what is known here is filled in. `variables` name our own topic.

        `soon_s`: how long after a change of what is retained it is said, at the earliest.
        """
        self._bus = bus
        self._channel = channel
        self._make = make
        self._published = published
        self._soon_s = soon_s
        self._clock = clock
        self._variables = variables
        self._host = socket.gethostname()[:253]
        self._announced_s: float | None = None
        self._sent_at: deque[Time | None] = deque(maxlen=_SENT_KEPT)
        self._summaries: dict[str, Summary] = {}
        self._suspect: P | None = None
        self._rival: P | None = None
        self._rival_s = 0.0
        self._log = log.get("noc.bus")
        self.is_silenced = False
        """True: another one with our name was there first, so that nobody must hear of our work."""
        bus.when_connected(self.announce)
        bus.subscribe(channel, self._on_own, **variables)

    @property
    def rival(self) -> P | None:
        """The other one with our name, while it is heard."""
        return self._rival

    def tick(self) -> None:
        """A few times a second."""
        now_s = self._clock()
        if self._rival is not None and now_s - self._rival_s > SILENT_AFTER_S:
            self._rival = None
            self._silence(to=False)
        for one in self._published:
            one.tick()
        since_s = now_s - self._announced_s if self._announced_s is not None else PRESENCE_EVERY_S
        if since_s >= PRESENCE_EVERY_S or (since_s >= self._soon_s and self._summaries != self._summed()):
            self.announce()

    def announce(self) -> None:
        """Say it now."""
        self._announced_s = self._clock()
        self._summaries = self._summed()
        rival = self._place(self._rival) if self._rival else None
        message = replace(
            self._make(),
            instance=self._bus.instance,
            host=self._host,
            address=self._bus.own_address,
            retained=self._summaries,
            rival=None if self.is_silenced else rival,
            silenced=self.is_silenced,
        )
        # Before: it may be back before `publish` is.
        self._sent_at.append(_sent(message))
        publish = self._bus.publish_once if self.is_silenced else self._bus.publish
        if not publish(self._channel, message):
            self._sent_at.pop()

    def say_goodbye(self, message: P) -> None:
        """The closing message of a process that stops on request; the last will speaks for one that does not."""
        if not self.is_silenced:
            self._bus.publish(self._channel, replace(message, instance=self._bus.instance, host=self._host))

    def _summed(self) -> dict[str, Summary]:
        return {one.channel.name: one.summary() for one in self._published}

    def _on_own(self, message: P | None, variables: dict[str, str]) -> None:
        if message is None or message.instance is None:
            return
        if message.instance == self._bus.instance:
            if message.online and _sent(message) not in self._sent_at:
                self._part_from_a_copy()
            return
        if not message.online:
            # The will of an earlier start, or of a rival that is gone: it must not stand for us.
            self._announced_s = None
            if self._rival is not None and self._rival.instance == message.instance:
                self._rival_s = -SILENT_AFTER_S
            return
        known, self._suspect = self._suspect, message
        # The first presence of another one may be what an earlier start left on the broker; the second is alive.
        if known is None or known.instance != message.instance or _sent(known) == _sent(message):
            return
        self._rival, self._rival_s = message, self._clock()
        mine = self._make()
        is_later = (mine.since or 0, self._bus.instance) > (message.since or 0, message.instance or "")
        self._silence(to=is_later and not message.silenced)

    def _part_from_a_copy(self) -> None:
        """A machine was copied while it ran: of two that have everything in common, this process too, each gets
        a name of its own, by which they then know each other."""
        self._log.warning("a copy of this process runs elsewhere: its machine was copied while it ran")
        self._sent_at.clear()
        self._bus.change_instance()

    def _place(self, other: P) -> str:
        """The machine of another one; by its address too where that is called as this one is."""
        address = f" ({other.address})" if other.address and other.host in ("", self._host) else ""
        return f"{other.host or 'unknown host'}{address}"

    def _silence(self, *, to: bool) -> None:
        if to == self.is_silenced:
            return
        self.is_silenced = to
        self._bus.mute(self._channel if to else None)
        who = ", ".join(self._variables.values())
        if to and self._rival:
            self._log.error(
                f"another {who} runs on {self._place(self._rival)} and was there first: this one keeps "
                "silent until that one is gone; stop one of the two or give it another name"
            )
        else:
            self._log.warning(f"the other {who} is gone: this one speaks again")
        self._announced_s = None


def _sent(message: Presence) -> Time | None:
    """When its sender sent it, by its own clock."""
    return message.clock if isinstance(message, ProberPresence) else getattr(message, "at", None)


def service_health(service: str, broker: Broker, *, ill_with: Collection[str | None] = ()) -> int:
    """0 where a central service does its work by its retained presence on the broker, 1 with a sentence otherwise.

    `ill_with`: the codes of trouble that keep it from its work; None: of trouble that has no code. To be asked on the
    machine where it runs.
    """
    return _health(service, broker, (SERVICES, {"service": service}), ill_with)


def prober_health(site: str, broker: Broker) -> int:
    """The same of the prober of a site."""
    return _health("prober", broker, (PROBERS, {"site": site}), ())


def _health(name: str, broker: Broker, topic: tuple[Any, dict[str, str]], ill_with: Collection[str | None]) -> int:
    """Raises SettingError where the broker's certificate authority cannot be read."""
    heard: list[ServicePresence | ProberPresence] = []
    done = threading.Event()

    def hear(message: ServicePresence | ProberPresence | None, variables: dict[str, str]) -> None:
        if message:
            heard.append(message)
            done.set()

    session = Session(broker, f"noc-{name}-health")
    channel, variables = topic
    session.subscribe(channel, hear, **variables)
    log.configure("error")
    session.start()
    done.wait(_HEALTH_WAIT_S)
    session.stop()
    why = _why_ill(heard[-1], ill_with) if heard else session.trouble or "no presence is on the broker"
    if why is None:
        return 0
    print(f"noc-{name}: {why}", file=sys.stderr)
    return 1


def _why_ill(last: ServicePresence | ProberPresence, ill_with: Collection[str | None]) -> str | None:
    sent = last.clock if isinstance(last, ProberPresence) else last.at
    if not last.online or sent is None or Time.now() - sent > 6 * PRESENCE_EVERY_S * 1000:
        return "its last presence on the broker is offline or more than a minute old"
    if last.host not in (None, socket.gethostname()[:253]):
        return f"another one with its name, on {last.host}, is on the broker; this one keeps silent or is not there"
    return last.trouble if isinstance(last, ServicePresence) and last.code in ill_with else None
