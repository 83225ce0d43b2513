"""A stranger's client: it knows only asyncapi.yaml, and rebuilds the status table from what is retained."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import yaml
from paho.mqtt.enums import CallbackAPIVersion

channels = yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8"))["channels"]
topics = {name: re.sub(r"\{\w+\}", "+", channels[name]["address"]) for name in ("verdicts", "states")}
heard: dict[str, dict[tuple[str, ...], dict[str, str]]] = {name: {} for name in topics}


def hear(client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
    for name, topic in topics.items():
        if message.payload and (found := re.fullmatch(topic.replace("+", "([^/]+)"), message.topic)):
            heard[name][found.groups()] = json.loads(message.payload)


client = mqtt.Client(CallbackAPIVersion.VERSION2)
client.on_message = hear
client.username_pw_set("reader", sys.argv[3])
client.connect("127.0.0.1", int(sys.argv[2]))
client.subscribe([(topic, 1) for topic in topics.values()])
client.loop_start()
time.sleep(2)
rows: dict[str, dict[str, Any]] = {
    target: {"state": verdict["state"], "sites": {}} for (target,), verdict in heard["verdicts"].items()
}
for (site, target), state in heard["states"].items():
    rows[target]["sites"][site] = state["state"]
print(json.dumps(rows))
