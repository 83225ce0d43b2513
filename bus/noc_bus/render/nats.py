"""The permissions of the embedded broker, nats-server, whose subjects have dots where MQTT has slashes."""

from __future__ import annotations

from typing import TypedDict

from noc_bus.channels import DEFAULT_ROOT
from noc_bus.render import rights

# A subscription with QoS 1 is delivered through a subject of this name.
_QOS1_DELIVERY = "$MQTT.sub.>"


class Permissions(TypedDict):
    """The value of `permissions` of a nats-server user."""

    publish: dict[str, list[str]]
    subscribe: dict[str, list[str]]


def permissions(granted: rights.Rights) -> Permissions:
    """Allow what `granted` names and deny the rest."""
    return {
        # An empty allow list would allow everything; denying everything says what is meant.
        "publish": {"allow": _subjects(granted.publish)} if granted.publish else {"deny": [">"]},
        "subscribe": {"allow": [*_subjects(granted.subscribe), _QOS1_DELIVERY]},
    }


def table(root: str = DEFAULT_ROOT) -> dict[str, Permissions]:
    """All users: the services, the reader, and `SITE` in the place of any site's id."""
    return {
        "web": permissions(rights.of_service(root, "web")),
        "recorder": permissions(rights.of_service(root, "recorder")),
        "alerter": permissions(rights.of_service(root, "alerter")),
        "reader": permissions(rights.of_reader(root)),
        "SITE": permissions(rights.of_site(root, "SITE")),
    }


def _subjects(filters: tuple[str, ...]) -> list[str]:
    subjects = []
    for topic in filters:
        subject = topic.replace("/", ".").replace("+", "*")
        if subject.endswith(".#"):
            # MQTT's a/# covers a itself too, and the server asks for both rights.
            subjects += [subject.removesuffix(".#"), subject.removesuffix("#") + ">"]
        else:
            subjects.append(subject)
    return subjects
