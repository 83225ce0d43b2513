"""`noc demo`: the real NOC, with three probers that stand in a simulated network."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from noc_demo import door
from noc_demo.gates import Gates
from noc_demo.mailbox import Mailbox
from noc_demo.network import ANCHORS, DOMAIN, GROUPS, HOSTS, SITES
from noc_demo.stage import Stage
from noc_frame import progress
from noc_frame.settings import parse_folder
from noc_launcher import loglines, running
from noc_launcher.brokers import nats
from noc_launcher.errors import CommandError
from noc_launcher.ports import check_port, listens
from noc_launcher.supervisor import Program, Supervisor, as_child
from noc_netlab.namespace import NoNamespace
from noc_netlab.sites import GATE, Sites
from noc_web.broker.__main__ import prepare
from noc_web.broker.accounts import READER, Arrangement

PASSWORD: Final = "demonstration"  # noqa: S105  # of a network that does not exist, on this machine alone
_PORT: Final = 8080
_TICK_S: Final = 0.25
_SETTLE_S: Final = 60.0
_PATIENCE_S: Final = 60.0
_PAST_MADE: Final = "past-made"
_CENTRAL: Final = ("recorder", "alerter", "web")
_SHOWN_LEVELS: Final = ("warning", "error", "critical")


@dataclass(frozen=True)
class Options:
    """`port` None: 8080, or any that is free. `data` None: a folder that is thrown away at the end."""

    port: int | None = None
    data: Path | None = None


def demo(options: Options, environment: Mapping[str, str]) -> int:
    """Run until Ctrl-C or SIGTERM. Raises CommandError."""
    if ignored := settings_in(environment):
        print(f"noc: {', '.join(ignored)}: for your own NOC; the demonstration does without.", file=sys.stderr)
    with _folder(options.data) as folder, running.claim(folder):
        port = _http_port(options.port)
        try:
            with Sites({site.id: site.own for site in SITES}, folder / "echoes.record") as sites:
                asyncio.run(Demonstration(folder, port, sites, environment).run())
        except NoNamespace as error:
            raise CommandError(f"The demonstration needs a network of its own: {error}.") from None
    return 0


class Demonstration:
    """Everything that runs, and what it needs to know of each other."""

    def __init__(self, folder: Path, port: int, sites: Sites, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.address = f"http://127.0.0.1:{port}"
        self._port = port
        self._sites = sites
        self._environment = without_settings(environment)
        self._catalog = Catalog(folder, self.address, self._environment)
        self._broker_port = free_port()
        self._passwords = {
            user: secrets.token_urlsafe(24) for user in (*_CENTRAL, READER, *(site.id for site in SITES))
        }
        self._mailbox = Mailbox()
        self._log = (folder / "demo.log").open("a", encoding="utf-8")
        self._past_share = 0.0

    async def run(self) -> None:
        """Until it is told to stop. Raises CommandError where a part does not start."""
        gates = Gates(self._broker_port)
        with tempfile.TemporaryDirectory(prefix="noc-demo-door-") as short, self._log:
            # A socket's path must be short, and the data folder's may be long.
            door_path = Path(short) / "door"
            stage = Stage(self._sites, gates, self.folder / "simulation.jsonl")
            smtp_url = await self._mailbox.start()
            server = await door.open_door(door_path, functools.partial(self._answer, stage))
            await gates.start(self._sites.gates)
            supervisor = Supervisor(self._programs(smtp_url, door_path), self._show, patience_s=_PATIENCE_S)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                asyncio.get_running_loop().add_signal_handler(number, supervisor.stop)
            past = asyncio.create_task(self._make_past())
            others = [past, asyncio.create_task(self._play(stage)), asyncio.create_task(self._settle(stage, past))]
            try:
                await _run_beside(supervisor, others)
            finally:
                server.close()
                self._mailbox.close()
                await gates.close()

    # -- what runs

    def _programs(self, smtp_url: str, door_path: Path) -> list[Program]:
        broker = self.folder / "broker"
        broker.mkdir(mode=0o700, exist_ok=True)
        prepare(self.folder, Arrangement(str(broker), anonymous_read=True), self._passwords)
        command = nats.prepare(broker, self._broker_port)
        web = [sys.executable, "-P", "-m", "noc_demo.child", str(os.getpid()), "web", str(door_path)]
        programs = [
            Program(
                "broker",
                as_child(["program", *command]),
                self._environment,
                functools.partial(listens, self._broker_port),
            ),
            Program("web", web, self._of("web"), functools.partial(listens, self._port)),
            Program(
                "alerter",
                as_child(["alerter"]),
                {**self._of("alerter"), "NOC_SMTP_URL": smtp_url, "NOC_GROUP_WAIT_S": "5"},
            ),
        ]
        for site in SITES:
            words = [str(os.getpid()), "prober", *self._sites.doors(site.id)]
            programs.append(
                Program(site.id, [sys.executable, "-P", "-m", "noc_demo.child", *words], self._of_prober(site.id))
            )
        # The recorder writes the history too, and two writers only wait for each other: what the probers
        # see meanwhile waits in their journals.
        *_, last = programs
        programs[-1] = Program(last.name, last.command, last.environment, lambda: self._past_share >= 1)
        return [*programs, Program("recorder", as_child(["recorder"]), self._of("recorder"))]

    def _of(self, service: str) -> dict[str, str]:
        own = {
            "NOC_DATA": str(self.folder),
            "NOC_MQTT_URL": f"mqtt://{service}:{self._passwords[service]}@127.0.0.1:{self._broker_port}",
            "NOC_PUBLIC_URL": self.address,
        }
        if service == "web":
            own |= {"NOC_HTTP_PORT": str(self._port), "NOC_ADMIN_PASSWORD": PASSWORD}
        if service == "alerter":
            own |= {"NOC_MAIL_FROM": f"noc@{DOMAIN}", "NOC_MAIL_TO": f"oncall@{DOMAIN}"}
        return {**self._environment, **own}

    def _of_prober(self, site: str) -> dict[str, str]:
        host, port = GATE
        return {
            **self._environment,
            "NOC_DATA": str(self.folder),
            "NOC_SITE": site,
            "NOC_MQTT_URL": f"mqtt://{site}:{self._passwords[site]}@{host}:{port}",
        }

    # -- beside it

    async def _make_past(self) -> None:
        """A week of history, by a process of its own; not again in a folder that has one."""
        made = self.folder / _PAST_MADE
        if not made.exists():
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "noc_demo.past",
                str(self.folder),
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
            try:
                assert process.stdout
                while line := await process.stdout.readline():
                    progress.show("a week of history", float(line))
                if await process.wait():
                    raise CommandError("The week of history could not be written; the lines above say why.")
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            made.touch()
        self._past_share = 1.0

    async def _play(self, stage: Stage) -> None:
        while True:
            if not self._sites.is_alive:
                raise CommandError("The simulated network has ended by itself; start the demonstration again.")
            stage.tick()
            await asyncio.sleep(_TICK_S)

    async def _settle(self, stage: Stage, past: asyncio.Task[None]) -> None:
        """Put in the company's targets, wait until all are seen, then say so and let the script begin."""
        while not await asyncio.to_thread(listens, self._port):
            await asyncio.sleep(_TICK_S)
        await asyncio.to_thread(self._catalog.fill)
        await past
        until_s = time.monotonic() + _SETTLE_S
        while not await asyncio.to_thread(self._catalog.is_live) and time.monotonic() < until_s:
            await asyncio.sleep(_TICK_S)
        running.note(self.folder, {"web": f"127.0.0.1:{self._port}", "mqtt": f"mqtt://127.0.0.1:{self._broker_port}"})
        stage.start()
        print(self._greeting(), flush=True)
        await asyncio.Event().wait()

    def _answer(self, stage: Stage, asked: dict[str, Any]) -> Any:
        """What the web service asks; None for what there is not."""
        if asked["ask"] == "call":
            return True if stage.call(asked["event"]) else None
        if asked["ask"] == "mails":
            return [[_shown(asdict(mail)) for mail in thread] for thread in self._mailbox.threads()]
        if asked["ask"] == "mail":
            return next((asdict(mail) for mail in self._mailbox.mails if mail.number == asked["number"]), None)
        return {"events": stage.status(), "mails": len(self._mailbox.mails)}

    def _greeting(self) -> str:
        kept = (
            "leaves nothing behind"
            if self.folder.name.startswith(_THROWN_AWAY)
            else f"leaves its files in {self.folder}"
        )
        return (
            f"The demonstration is ready: open {self.address} and log in as admin with the password {PASSWORD}; "
            f"Ctrl-C ends it and {kept}."
        )

    def _show(self, name: str, line: str) -> None:
        """Everything goes into the log; the terminal gets what somebody should know."""
        with contextlib.suppress(OSError, ValueError):
            print(f"{name} {line}", file=self._log, flush=True)
        if name == "noc" or _level(line) in _SHOWN_LEVELS:
            loglines.show(name, line)


class Catalog:
    """Puts the company's targets into a web service, through its API."""

    def __init__(self, folder: Path, address: str, environment: Mapping[str, str]) -> None:
        """`folder`: the web service's data."""
        self._folder = folder
        self._address = address
        self._environment = environment
        self._token = ""

    def fill(self) -> None:
        """Raises CommandError."""
        command = [
            *(sys.executable, "-P", "-m", "noc_launcher", "token", "create", "--role", "admin"),
            *("--name", f"demo-{os.getpid()}", "--data", str(self._folder)),
        ]
        done = subprocess.run(command, env=dict(self._environment), capture_output=True, text=True, check=False)  # noqa: S603  # our own command
        if done.returncode:
            raise CommandError(f"The demonstration's targets could not be put in: {done.stderr.strip()}")
        self._token = done.stdout.strip()
        for site in SITES:
            self._ask("PUT", f"sites/{site.id}", {"label": site.label, "location": site.location, "anchors": ANCHORS})
        for group, options in GROUPS.items():
            self._ask("PUT", f"groups/{group}", options)
        rows = [host.definition() for host in HOSTS]
        self._ask("POST", "targets/import?replace=true", {"targets": rows})

    def is_live(self) -> bool:
        """Whether every target is seen by every site."""
        rows = self._ask("GET", "status")["targets"]
        cells = [cell for row in rows for cell in row["sites"].values() if cell["state"] != "UNKNOWN"]
        return len(cells) == len(HOSTS) * len(SITES)

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(  # noqa: S310  # our own web service
            f"{self._address}/api/v1/{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                raise CommandError(
                    f"The web service refuses {method} {path}: {error.read(2000).decode(errors='replace')}"
                ) from None


_THROWN_AWAY: Final = "noc-demo-"


@contextlib.contextmanager
def _folder(named: Path | None) -> Iterator[Path]:
    """The data folder; one of ours is gone afterwards."""
    if named is not None:
        try:
            parse_folder(str(named))
        except ValueError as error:
            raise CommandError(
                f"The data folder {named} cannot be used ({error}); name one you may write with --data."
            ) from None
        yield named.resolve()
        return
    with thrown_away() as folder:
        yield folder


@contextlib.contextmanager
def thrown_away() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=_THROWN_AWAY))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The user's settings are for their own NOC."""
    return {name: value for name, value in environment.items() if not name.startswith("NOC_")}


def settings_in(environment: Mapping[str, str]) -> list[str]:
    return sorted(name for name in environment if name.startswith("NOC_") and not name.startswith("NOC_TEST_"))


async def _run_beside(supervisor: Supervisor, others: list[asyncio.Task[None]]) -> None:
    """Keep the programs running until they are stopped, or one of the others fails."""
    main = asyncio.create_task(supervisor.run(lambda: None))
    waiting: set[asyncio.Task[None]] = {main, *others}
    try:
        while not main.done():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {main}:
                task.result()
        main.result()
    finally:
        for task in others:
            task.cancel()
        supervisor.stop()
        await asyncio.gather(main, *others, return_exceptions=True)


def _http_port(asked_for: int | None) -> int:
    if asked_for is not None:
        check_port("127.0.0.1", asked_for, "--port")
        return asked_for
    try:
        check_port("127.0.0.1", _PORT, "--port")
    except CommandError:
        return free_port()
    return _PORT


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _shown(mail: dict[str, Any]) -> dict[str, Any]:
    """For the list of mails, which shows each one's text from its own address."""
    return {**mail, "at": str(mail["at"]), "html": "", "text": ""}


def _level(line: str) -> str:
    try:
        return str(json.loads(line)["level"])
    except (ValueError, TypeError, KeyError):
        # No line of our services: a broker's or a crash.
        return "error"
