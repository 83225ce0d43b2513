"""A stranger's client: it knows only asyncapi.yaml, and rebuilds the status table from what is retained."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

import paho.mqtt.client as mqtt
import yaml
from paho.mqtt.enums import CallbackAPIVersion

document = yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8"))
topics = {name: channel["address"] for name, channel in document["channels"].items()}
patterns = {name: re.compile(re.sub(r"\{\w+\}", "([^/]+)", topics[name])) for name in ("verdicts", "states", "targets")}
table: dict[tuple[str, ...], dict[str, str]] = {}


def hear(client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
    for name, pattern in patterns.items():
        if found := pattern.fullmatch(message.topic):
            table.setdefault((name, *found.groups()), json.loads(message.payload))


client = mqtt.Client(CallbackAPIVersion.VERSION2)
client.on_message = hear
client.username_pw_set("reader", sys.argv[3])
client.connect("127.0.0.1", int(sys.argv[2]))
client.subscribe([(re.sub(r"\{\w+\}", "+", topics[name]), 1) for name in patterns])
client.loop_start()
time.sleep(2)
print(json.dumps({key[1]: verdict["state"] for key, verdict in table.items() if key[0] == "verdicts"}))
