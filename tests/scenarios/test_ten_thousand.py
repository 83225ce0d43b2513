"""Ten thousand targets imported at once: whatever is missed on the way, the table ends at what the broker has retained.

The short form has a thousand of them, and one round instead of ten.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Any, Final

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from noc_bus.broker import Broker
from noc_bus.channels import STATES, VERDICTS
from noc_bus.codec import decode
from noc_bus.messages import SiteState, Verdict
from noc_netlab.lab import Netlab
from tests.parts.figures import Figures
from tests.parts.waiting import wait_until
from tests.scenarios.whole import CENTRAL, Noc

UP_WITHIN_S: Final = 120
AGREES_WITHIN_S: Final = 10
# The whole table of ten thousand rows is work for the web service, too.
LOOKED_AT_EVERY_S: Final = 0.5


class Stranger:
    """What the broker hands to a plain MQTT client that has just come, asked for anew each time."""

    def __init__(self, noc: Noc) -> None:
        self.broker = Broker.parse(noc.broker.url("reader"))

    def retained(self) -> tuple[dict[str, Verdict], dict[tuple[str, ...], SiteState]]:
        payloads: dict[str, bytes] = {}
        last_s = [time.monotonic()]

        def on_connect(client: mqtt.Client, *_: Any) -> None:
            client.subscribe([(channel.filter(self.broker.root), 0) for channel in (VERDICTS, STATES)])

        def on_message(client: mqtt.Client, _: Any, message: mqtt.MQTTMessage) -> None:
            if message.retain:
                last_s[0] = time.monotonic()
                payloads.setdefault(message.topic, bytes(message.payload))
            else:
                payloads[message.topic] = bytes(message.payload)

        client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        client.username_pw_set(self.broker.user, self.broker.password)
        client.on_connect = on_connect
        client.on_message = on_message
        client.connect(self.broker.host, self.broker.port)
        client.loop_start()
        wait_until(lambda: payloads and time.monotonic() - last_s[0] > 1, 30, "all that is retained")
        client.disconnect()
        client.loop_stop()
        verdicts: dict[str, Verdict] = {}
        states: dict[tuple[str, ...], SiteState] = {}
        for topic, payload in payloads.items():
            if found := VERDICTS.match(self.broker.root, topic):
                verdicts[found["target"]] = decode(payload, Verdict)
            elif found := STATES.match(self.broker.root, topic):
                states[(found["site"], found["target"])] = decode(payload, SiteState)
        return verdicts, states


@pytest.mark.alone(only="long")
@pytest.mark.timeout(3600)
def test_every_row_is_up_in_time_and_agrees_with_the_broker_whatever_happens(
    noc: Noc, netlab: Netlab, is_long: bool, figure: Figures
) -> None:
    targets, rounds = (10_000, 10) if is_long else (1000, 1)
    names = {f"host-{n}": f"10.99.{1 + n // 250}.{1 + n % 250}" for n in range(targets)}
    rows = "".join(f"{name},{address},10,1\n" for name, address in names.items())
    imported_s = time.monotonic()
    listing = f"name,address,interval_s,packets\n{rows}".encode()
    status, answer = noc.ask("POST", "targets/import", listing, within_s=UP_WITHIN_S)
    assert status == 200, answer
    wait_until(
        lambda: noc.get("status")["kpis"]["up"] == targets,
        UP_WITHIN_S,
        "every row UP",
        seen=lambda: noc.get("status")["kpis"],
        pause_s=LOOKED_AT_EVERY_S,
    )
    figure.at_most("import_to_all_up_s", round(time.monotonic() - imported_s, 1), UP_WITHIN_S)
    stranger = Stranger(noc)
    worst_s = 0.0
    for number in range(rounds):
        silent = [f"10.99.{1 + n // 250}.{1 + n % 250}" for n in range(number, targets, 97)]
        for address in silent:
            netlab.behave(address, silent=True)
        _stall(noc, CENTRAL[number % len(CENTRAL)], 20 if is_long else 5)
        if number % 2:
            noc.broker.kill()
            noc.broker.start()
            # Mosquitto has forgotten everything: until all of it is said again, there are changes.
            wait_until(
                lambda: all(len(found) == targets for found in stranger.retained()),
                120,
                "everything retained again",
                pause_s=LOOKED_AT_EVERY_S,
            )
        expected = {name: "DOWN" if address in silent else "UP" for name, address in names.items()}
        _wait_for_table(noc, expected)
        since_s = time.monotonic()
        wait_until(
            lambda: not _differing(noc, stranger),
            AGREES_WITHIN_S + 30,
            "agreement",
            seen=lambda: _differing(noc, stranger),
            pause_s=LOOKED_AT_EVERY_S,
        )
        worst_s = max(worst_s, time.monotonic() - since_s)
        netlab.behave()
    # A machine that does other things as well may take twice as long.
    figure.at_most("agrees_with_the_broker_s", round(worst_s, 1), AGREES_WITHIN_S * (1 if is_long else 2))


def _wait_for_table(noc: Noc, expected: dict[str, str]) -> None:
    wait_until(
        lambda: noc.states() == expected,
        120,
        "the right table",
        seen=lambda: noc.get("status")["kpis"],
        pause_s=LOOKED_AT_EVERY_S,
    )


def _stall(noc: Noc, service: str, seconds: float) -> None:
    os.kill(noc.processes.pid(service), signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(noc.processes.pid(service), signal.SIGCONT)


def _differing(noc: Noc, stranger: Stranger) -> list[Any]:
    """Rows whose verdict, or whose site's state, is not the one retained; at most a few, to be shown."""
    verdicts, states = stranger.retained()
    rows = {row["id"]: row for row in noc.get("status")["targets"]}
    wrong: list[Any] = sorted(rows.keys() ^ verdicts.keys())
    wrong += [
        (name, row["state"], verdicts[name].state)
        for name, row in rows.items()
        if name in verdicts and row["state"] != verdicts[name].state
    ]
    wrong += [
        (site, name, rows[name]["sites"].get(site, {}).get("state"), state.state)
        for (site, name), state in states.items()
        if name not in rows or rows[name]["sites"].get(site, {}).get("state") != state.state
    ]
    return wrong[:10]
