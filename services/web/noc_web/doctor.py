"""`noc doctor` in the web service's container: the whole NOC as it is seen from there, with the cure of what is ill."""

from __future__ import annotations

import http.client
import shutil
import threading
from collections.abc import Mapping
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import Final

from noc_bus.broker import Broker
from noc_bus.channels import PROBERS, SERVICES
from noc_bus.messages import ProberPresence, ServicePresence
from noc_bus.session import Session
from noc_bus.time import Time
from noc_frame import log
from noc_frame.finding import Finding
from noc_frame.settings import SettingError
from noc_history.store import StoreError
from noc_web.broker import names
from noc_web.broker.accounts import BrokerAccounts
from noc_web.config import Config
from noc_web.database.opening import Database

_ANSWER_S: Final = 5.0
_CENTRAL: Final = ("recorder", "alerter", "web")
_LEAST_FREE_BYTES: Final = 1_000_000_000


def examine(environment: Mapping[str, str]) -> list[Finding]:
    """Everything, in the order in which one thing needs the other. Takes a few seconds where something is silent."""
    log.configure("error")
    try:
        config = Config.read(environment)
    except SettingError as error:
        return [Finding("settings", "fail", str(error))]
    return [
        Finding("settings", "ok", "all are accepted"),
        data_folder(config.data),
        accounts(config.data),
        *services(config.broker),
        history(config),
        web(config),
    ]


def data_folder(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE_BYTES:
        return Finding("data", "warn", f"{folder} has only {free / 1e6:.0f} MB left on its disk; make room")
    return Finding("data", "ok", f"{folder}, {free / 1e9:.0f} GB free")


def accounts(data: Path) -> Finding:
    """Whether the broker has been given its accounts, and sites a way in."""
    with closing(Database(data)) as database:
        kept = BrokerAccounts(database)
        arrangement, let_in, lacking = kept.arrangement(), kept.let_in(Time.now()), kept.lacking_certificate()
    if not arrangement.folder:
        return Finding("accounts", "warn", "no broker is given the accounts of NOC; see NOC_BROKER_FOLDER")
    if not (Path(arrangement.folder) / names.REVISION).exists():
        return Finding("accounts", "fail", f"nothing is in {arrangement.folder}; start the web service again")
    if lacking:
        cure = "give each another token with `noc site rotate`"
        sentence = (
            f"not let in without the certificate that NOC_SITE_CERTIFICATES demands: {', '.join(lacking)}; {cure}"
        )
        return Finding("accounts", "warn", sentence)
    where = f"sites reach it at {', '.join(arrangement.urls)}" if arrangement.urls else "it does not listen for sites"
    return Finding("accounts", "ok", f"{len(let_in)} in {arrangement.folder}; {where}")


def services(broker: Broker) -> list[Finding]:
    """The broker, and who is heard on it."""
    central: dict[str, ServicePresence] = {}
    probers: dict[str, ProberPresence] = {}
    done = threading.Event()

    def hear_service(said: ServicePresence | None, variables: dict[str, str]) -> None:
        if said is not None:
            central[said.service] = said
        if central.keys() >= {*_CENTRAL} and probers:
            done.set()

    def hear_prober(said: ProberPresence | None, variables: dict[str, str]) -> None:
        if said is not None:
            probers[said.site] = said

    session = Session(broker, "noc-doctor")
    session.subscribe(PROBERS, hear_prober)
    session.subscribe(SERVICES, hear_service)
    session.start()
    if session.connects_within(_ANSWER_S):
        done.wait(_ANSWER_S)
    trouble = session.trouble
    session.stop()
    if trouble:
        return [Finding("broker", "fail", f"{trouble}; check that it runs, and NOC_MQTT_URL")]
    return [
        Finding("broker", "ok", str(broker)),
        *(_service(name, central.get(name)) for name in _CENTRAL),
        *(_prober(probers[site]) for site in sorted(probers)),
        *([] if probers else [Finding("probers", "warn", "no prober has ever been on this broker; start one")]),
    ]


def _service(name: str, said: ServicePresence | None) -> Finding:
    if said is None or not said.online:
        return Finding(name, "fail", "it is not on the broker; its log says why")
    if said.trouble:
        return Finding(name, "warn", said.trouble)
    return Finding(name, "ok", f"version {said.version} on {said.host}")


def _prober(said: ProberPresence) -> Finding:
    name = f"prober {said.site}"
    if not said.online:
        return Finding(name, "warn", "it is offline; `noc doctor --join TOKEN` at the site says why")
    if said.isolated or said.overloaded:
        return Finding(name, "warn", f"it casts no vote: it is {'isolated' if said.isolated else 'overloaded'}")
    return Finding(name, "ok", f"version {said.version} on {said.host}")


def history(config: Config) -> Finding:
    store = config.history.open()
    try:
        store.marks()
    except StoreError as error:
        return Finding("history", "fail", str(error))
    finally:
        store.close()
    return Finding("history", "ok", config.history.described)


def web(config: Config) -> Finding:
    why = why_deaf(config)
    return Finding("web page", "fail", why) if why else Finding("web page", "ok", f"it answers; open {config.address}")


def why_deaf(config: Config) -> str | None:
    """Why no browser is answered on this machine; None where one is."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.http_host, config.http_host)  # noqa: S104  # compared, not bound
    connection = http.client.HTTPConnection(host, config.http_port, timeout=_ANSWER_S)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"it does not answer on port {config.http_port}: {error}"
    finally:
        connection.close()
    return None if status == HTTPStatus.OK else f"it answers {status} on port {config.http_port}"
