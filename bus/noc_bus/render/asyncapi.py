"""The AsyncAPI 3 document: the contract for people and programs outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from noc_bus.channels import CHANNELS, DEFAULT_ROOT, READ_AT_QOS, ROLES, Channel
from noc_bus.messages import SLUG_PATTERN, Message
from noc_bus.render.schemas import schemas

_VARIABLES = {
    "target": "id of a target",
    "site": "id of a site",
    "service": "recorder, alerter or web",
    "reader": "the service that alone can read it",
    "incident": "id of an incident",
    "maintenance": "id of a maintenance",
    "kind": "kind of the event, in the past tense; of what was deleted: target or site",
    "name": "id of the target or site that was deleted",
    "verb": "check or trace",
    "request": "id chosen by whoever asked",
    "report": "a report of one period, for those in one time zone",
    "finding": "what late data showed at one moment",
}


def document(examples: Mapping[str, Sequence[Mapping[str, Any]]], version: str) -> dict[str, Any]:
    """The whole document. `examples` has payloads by channel name; the first is shown."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "NOC",
            "version": version,
            "license": {"name": "MIT"},
            "description": (
                "Reachability of targets, measured from several sites. JSON, UTF-8; unknown fields are to be "
                "ignored; times are RFC 3339 UTC with milliseconds; units are in the names. Retained topics say "
                "how things are: a subscriber that knows nothing else rebuilds the whole truth from them. An "
                "empty payload on a retained topic says that the thing is gone. One message may come several times, with the "
                "same rev. MQTT 3.1.1 is enough."
            ),
        },
        "defaultContentType": "application/json",
        "channels": {channel.name: _channel(channel) for channel in CHANNELS},
        "operations": _operations(),
        "components": {
            "messages": {c.message.__name__: _message(c, examples.get(c.name, ())) for c in CHANNELS},
            "schemas": schemas(),
        },
    }


def _channel(channel: Channel[Message]) -> dict[str, Any]:
    name = channel.message.__name__
    described: dict[str, Any] = {
        "address": f"{DEFAULT_ROOT}/{channel.topic}",
        "summary": channel.summary,
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
    }
    if channel.variables:
        described["parameters"] = {
            variable: {"description": f"{_VARIABLES[variable]}; {SLUG_PATTERN}"} for variable in channel.variables
        }
    return described | {
        "x-writers": list(channel.writers),
        "x-readers": list(channel.readers),
        **({"x-former-readers": list(channel.former_readers)} if channel.former_readers else {}),
        **({"x-clearers": list(channel.clearers)} if channel.clearers else {}),
        "x-retained": channel.retained,
    }


def _operations() -> dict[str, Any]:
    """One operation for each role that writes or reads a channel."""
    operations: dict[str, Any] = {}
    for role in ROLES:
        for channel in CHANNELS:
            if role in channel.writers:
                operations[f"{role}-sends-{channel.name}"] = _operation("send", channel)
            if role in channel.readers:
                operations[f"{role}-receives-{channel.name}"] = _operation("receive", channel)
    return operations


def _operation(action: str, channel: Channel[Message]) -> dict[str, Any]:
    binding: dict[str, Any] = {"qos": READ_AT_QOS}
    if action == "send":
        binding = {"qos": channel.qos, "retain": channel.retained}
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel.name}"},
        "bindings": {"mqtt": binding | {"bindingVersion": "0.2.0"}},
    }


def _message(channel: Channel[Message], examples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    name = channel.message.__name__
    message: dict[str, Any] = {"payload": {"$ref": f"#/components/schemas/{name}"}}
    if examples:
        message["examples"] = [{"payload": dict(examples[0])}]
    return message
