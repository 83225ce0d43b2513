"""`noc up`: the broker, the store and the four services on this machine, under one supervisor."""

from __future__ import annotations

import asyncio
import functools
import http.client
import secrets
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import noc_alerter.config
import noc_prober.config
import noc_recorder.config
import noc_web.config
from noc_frame.settings import set_over
from noc_launcher import first_targets, loglines, running
from noc_launcher.brokers import mosquitto, nats, probe
from noc_launcher.errors import CommandError
from noc_launcher.listening import Listener
from noc_launcher.plan import BrokerKind, Options, Plan, read
from noc_launcher.ports import check_port, local, mqtt_port
from noc_launcher.services import SERVICES
from noc_launcher.supervisor import Program, Supervisor, as_child
from noc_prober.sockets import NoIcmp, open_all
from noc_web.broker import names
from noc_web.broker.preparing import NotPrepared, prepare_apart

_PREPARE: Final[dict[BrokerKind, Callable[[Path, int, Listener | None], list[str]]]] = {
    "nats": nats.prepare,
    "mosquitto": mosquitto.prepare,
}
_SCHEMES: Final[dict[BrokerKind, str]] = {"nats": nats.SCHEME, "mosquitto": mosquitto.SCHEME}


def up(options: Options, environment: Mapping[str, str]) -> int:
    """Run until Ctrl-C or SIGTERM. Raises CommandError or SettingError where it cannot begin."""
    plan = read(options, environment)
    with running.claim(plan.folder):
        check_port(plan.http_host, plan.http_port, "--port")
        check_icmp()
        if plan.listener:
            check_port(plan.listener.host, plan.listener.port, "--listen")
        own_port = mqtt_port(plan.mqtt_port) if plan.broker else 0
        passwords = {user: secrets.token_urlsafe(24) for user in (plan.site, "recorder", "alerter", "web", "reader")}
        environments = {name: environment_of(name, plan, own_port, passwords) for name in SERVICES}
        address = check_settings(environments)
        first_targets.propose_once(plan.folder)
        prepare_accounts(plan, passwords)
        programs = [broker_program(plan, own_port)] if plan.broker else []
        programs += [
            Program(name, as_child([name]), environments[name], web_ready(plan) if name == "web" else lambda: True)
            for name in SERVICES
        ]
        supervisor = Supervisor(programs, loglines.show)
        facts = {"web": f"{local(plan.http_host)}:{plan.http_port}"}
        if plan.broker:
            facts["mqtt"] = f"mqtt://127.0.0.1:{own_port}"
        running.note(plan.folder, facts)
        asyncio.run(_run(supervisor, lambda: print(greeting(address, plan, facts.get("mqtt")), flush=True)))
    return 0


async def _run(supervisor: Supervisor, when_ready: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, supervisor.stop)
    await supervisor.run(when_ready)


def environment_of(service: str, plan: Plan, own_port: int, passwords: Mapping[str, str]) -> dict[str, str]:
    """A service's variables: the user's, and its own name and password at the broker that we run."""
    if plan.broker is None:
        return dict(plan.environment)
    user = plan.site if service == "prober" else service
    return set_over(plan.environment, {"NOC_MQTT_URL": f"mqtt://{user}:{passwords[user]}@127.0.0.1:{own_port}"})


def check_settings(environments: Mapping[str, Mapping[str, str]]) -> str:
    """Where to point a browser. Raises SettingError before anything is started."""
    noc_prober.config.Config.read(environments["prober"])
    noc_recorder.config.Config.read(environments["recorder"])
    noc_alerter.config.Config.read(environments["alerter"])
    return noc_web.config.Config.read(environments["web"]).address


def check_icmp() -> None:
    try:
        for opened in open_all().values():
            opened.close()
    except NoIcmp as error:
        raise CommandError(str(error)) from None


def prepare_accounts(plan: Plan, passwords: Mapping[str, str]) -> None:
    """Put these into the database, and into the files of the broker that we run. Raises CommandError."""
    folder = _broker_folder(plan)
    folder.mkdir(mode=0o700, exist_ok=True)
    order: dict[str, object] = {"arrangement": {}, "own": {}}
    if plan.broker:
        arrangement: dict[str, object] = {"folder": str(folder), "anonymous_read": True}
        order = {"arrangement": arrangement, "own": passwords}
        if plan.listener:
            names = plan.listener.names()
            arrangement["urls"] = [_url(plan, name) for name in names]
            arrangement["certificates"] = plan.listener.certificates
            order["certified"] = [] if plan.listener.given else names
    try:
        prepare_apart(plan.folder, order)
    except NotPrepared as fault:
        raise CommandError(str(fault), fault.code) from None


def broker_program(plan: Plan, port: int) -> Program:
    assert plan.broker
    folder = _broker_folder(plan)
    command = _PREPARE[plan.broker](folder, port, plan.listener)
    # Settings are not for a broker, and some of them are secrets.
    environment = {name: value for name, value in plan.environment.items() if not name.startswith("NOC_")}
    why_deaf = functools.partial(probe.trouble, port)
    return Program(
        "broker",
        as_child(["program", *command]),
        environment,
        lambda: why_deaf() is None,
        why_deaf,
        (folder / names.REVISION, *((plan.listener.given or ()) if plan.listener else ())),
    )


def _url(plan: Plan, name: str) -> str:
    assert plan.broker
    assert plan.listener
    return f"{_SCHEMES[plan.broker]}://{f'[{name}]' if ':' in name else name}:{plan.listener.port}"


def _broker_folder(plan: Plan) -> Path:
    return plan.folder / "broker"


def web_ready(plan: Plan) -> Callable[[], bool]:
    def ask() -> bool:
        connection = http.client.HTTPConnection(local(plan.http_host), plan.http_port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return ask


def greeting(address: str, plan: Plan, mqtt: str | None) -> str:
    """The one line on standard output: where to go and how to get in."""
    try:
        secret = (plan.folder / "first-login.txt").read_text(encoding="utf-8").split()[0]
        way_in = f"log in as admin with the one-time secret {secret}"
    except (OSError, IndexError):
        way_in = "log in with your name and password"
    others = f"; other programs read {mqtt}" if mqtt else ""
    return f"NOC is ready: open {address} and {way_in} (files in {plan.folder}{others})."
