"""What other systems see on MQTT is what the contract says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from noc_bus.channels import CHANNELS, DEFAULT_ROOT
from noc_bus.codec import decode
from noc_netlab.lab import Netlab
from tests.parts.waiting import wait_until
from tests.scenarios.whole import Noc

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENT = REPOSITORY / "bus/rendered/asyncapi.yaml"
# All that a healthy minute with a trace shows: neither an incident nor a replay.
SEEN = {"targets", "probers", "results", "marks", "states", "verdicts", "services", "commands", "replies", "traces"}
LONGEST_CLIENT_LINES = 20


def test_an_outsider_with_mosquitto_sub_sees_the_contract(noc: Noc, netlab: Netlab) -> None:
    noc.processes.start(
        "mosquitto_sub",
        [
            *("mosquitto_sub", "-p", str(noc.broker.port), "-u", "reader", "-P", noc.broker.passwords["reader"]),
            *("-F", "%r %t %p", "-t", f"{DEFAULT_ROOT}/#"),
        ],
    )
    noc.add("router", "10.99.0.1")
    noc.wait_states({"router": "UP"}, 20)
    assert noc.ask("POST", "targets/router/trace", {"site": "here"})[0] == 202
    lines = wait_until(lambda: _all_seen(noc), 30, f"all of {SEEN}", seen=lambda: noc.processes.log("mosquitto_sub"))
    for line in lines:
        _retained, topic, payload = line.split(" ", 2)
        (channel,) = [one for one in CHANNELS if one.match(DEFAULT_ROOT, topic)]
        assert payload == "" or decode(payload.encode(), channel.message)


def _all_seen(noc: Noc) -> list[str] | None:
    # The last line may still be half written.
    lines = noc.processes.log("mosquitto_sub").split("\n")[:-1]
    seen = {line.split(" ")[1].removeprefix(f"{DEFAULT_ROOT}/").partition("/")[0] for line in lines}
    return lines if seen >= SEEN else None


def test_a_client_that_knows_only_the_asyncapi_document_rebuilds_the_table(noc: Noc, netlab: Netlab) -> None:
    netlab.behave("10.99.0.2", silent=True)
    noc.add("router", "10.99.0.1")
    noc.add("server", "10.99.0.2")
    noc.wait_states({"router": "UP", "server": "DOWN"}, 40)
    client = REPOSITORY / "tests/scenarios/status_client.py"
    lines = [line for line in client.read_text(encoding="utf-8").splitlines() if line]
    assert len([line for line in lines if not line.startswith(("import ", "from ", '"""'))]) <= LONGEST_CLIENT_LINES
    done = subprocess.run(
        [sys.executable, client, DOCUMENT, str(noc.broker.port), noc.broker.passwords["reader"]],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert json.loads(done.stdout) == {
        row["id"]: {"state": row["state"], "sites": {site: cell["state"] for site, cell in row["sites"].items()}}
        for row in noc.get("status")["targets"]
    }
