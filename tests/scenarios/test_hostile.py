"""A flood of what nobody should send: no service ends, no handler fails, and what is valid goes on."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Self

import pytest

from noc_bus.time import Time
from noc_netlab.lab import Netlab
from noc_web.auth.accounts import Accounts
from noc_web.database.opening import Database
from tests.parts.figures import Figures
from tests.parts.hostile import STOLEN
from tests.parts.mqtt_wire import Wire
from tests.parts.smtp import SmtpSink
from tests.parts.waiting import wait_until
from tests.scenarios.whole import CENTRAL, Noc

TARGETS: Final = 10
RESULT: Final = "noc/v1/results/here/t-0"
# On two cores, so that attackers, services and whoever measures have their time.
MQTT_RATE: Final = 1000.0
HTTP_RATE: Final = 100.0
LONG_TIMES: Final = 2.5
"""So many times as fast in the long form, which is over in eight minutes."""
SEED: Final = 20261127
MOST_TIMES: Final = 3.0
ENDED_S: Final = 1200.0


@pytest.fixture(params=["mosquitto", pytest.param("nats", marks=pytest.mark.long_only)])
def noc(request: pytest.FixtureRequest, netlab: Netlab, smtp_sink: SmtpSink, tmp_path: Path) -> Iterator[Noc]:
    with Noc(tmp_path, smtp_sink, request.param, users=(STOLEN,)) as whole:
        yield whole


class Watcher:
    """How long valid traffic takes: a page's request, and a result from its echo to whoever reads it."""

    def __init__(self, noc: Noc) -> None:
        self._noc = noc
        self._over = threading.Event()
        self._requests_ms: list[float] = []
        self._results_ms: list[float] = []
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._ask, self._read)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(30)

    @property
    def p99_ms(self) -> dict[str, float]:
        found = {"request": self._requests_ms, "result": self._results_ms}
        return {name: sorted(values)[int(len(values) * 0.99)] for name, values in found.items()}

    def _ask(self) -> None:
        while not self._over.wait(0.05):
            started_s = time.monotonic()
            assert self._noc.ask("GET", "sites")[0] == 200
            self._requests_ms.append((time.monotonic() - started_s) * 1000)

    def _read(self) -> None:
        with Wire(self._noc.broker.port, "reader", self._noc.broker.passwords["reader"], client_id="watcher") as reader:
            reader.subscribe(RESULT)
            while not self._over.is_set():
                reader.heard.clear()
                (_, payload) = reader.hear_until(RESULT)[-1]
                self._results_ms.append(float(Time.now() - Time.parse(json.loads(payload)["at"])))
                # A broker ends who says nothing for long.
                reader.ping()


def started(kind: str, **given: Any) -> subprocess.Popen[str]:
    # Attackers have machines of their own; here they get what of this one is left over.
    command = [
        "nice",
        "-n",
        "15",
        sys.executable,
        "-m",
        "tests.parts.hostile",
        kind,
        json.dumps(given | {"seed": SEED}),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


@pytest.mark.timeout(1500)
def test_hostile_messages_and_requests_end_nobody_and_what_is_valid_goes_on(
    noc: Noc, netlab: Netlab, is_long: bool, figure: Figures
) -> None:
    times = LONG_TIMES if is_long else 1.0
    messages, requests = (1_000_000, 100_000) if is_long else (4_000, 400)
    with closing(Database(noc.data)) as database:
        viewer = Accounts(database).create_token("viewer", "viewer")
    for number in range(TARGETS):
        noc.add(f"t-{number}", f"10.99.0.{number + 1}", interval_s=1, packets=1, timeout_ms=500)
    states = {f"t-{number}": "UP" for number in range(TARGETS)}
    noc.wait_states(states, 60)
    with Watcher(noc) as before:
        time.sleep(60 if is_long else 3)
    first_ms = noc.cycles("t-0")[-1][0]
    pids = {service: noc.processes.pid(service) for service in (*CENTRAL, "here")}

    attacks = [
        started(
            "mqtt", port=noc.broker.port, password=noc.broker.passwords[STOLEN], count=messages, rate=times * MQTT_RATE
        ),
        started("http", port=noc.http_port, token=viewer, count=requests, rate=times * HTTP_RATE),
    ]
    with Watcher(noc) as during:
        said, answered = (json.loads(attack.communicate(timeout=ENDED_S)[0]) for attack in attacks)
    assert (said["sent"], sum(answered.values())) == (messages, requests)

    assert not [status for status in answered if status.startswith("5") and status != "503"], answered
    assert {service: noc.processes.pid(service) for service in pids} == pids
    for service in pids:
        assert noc.processes.is_running(service)
        assert "Traceback" not in noc.processes.log(service), noc.processes.log(service)
    noc.wait_states(states, 60)
    wait_until(lambda: noc.cycles("t-0")[-1][0] > first_ms + 3000, 60, "cycles stored", seen=lambda: noc.logs)
    assert noc.get("targets/t-0/states")["outages"] == []
    # That there was a site paris for a while, which then fell silent, is all that whoever has its key could say.
    assert [mail for mail in noc.mails.mails if STOLEN not in str(mail.message["Subject"])] == []
    figure.at_least("hostile_messages", messages, messages)
    figure.at_least("hostile_requests", requests, requests)
    for name, p99_ms in during.p99_ms.items():
        figure.at_most(f"{name}_p99_times", p99_ms / before.p99_ms[name], MOST_TIMES if is_long else float("inf"))
