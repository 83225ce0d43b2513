"""The contract is written once: golden examples always decode, and what is rendered is what is committed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from noc_bus import topic_variables
from noc_bus.channels import CHANNELS, DEFAULT_ROOT, RESERVED_SITES, RESULTS, Channel
from noc_bus.codec import decode, encode
from noc_bus.messages import Message
from noc_bus.render import rights
from noc_bus.render.__main__ import golden, rendered
from tests.parts import yamlfile

REPOSITORY = Path(__file__).resolve().parents[2]
GOLDEN = golden(REPOSITORY / "bus/golden")
ASYNCAPI: dict[str, Any] = yamlfile.read(REPOSITORY / "bus/rendered/asyncapi.yaml")
EXAMPLES = [
    pytest.param(channel, example, id=f"{channel.name}-{number}")
    for channel in CHANNELS
    for number, example in enumerate(GOLDEN.get(channel.name, []))
]


def test_every_channel_has_a_golden_example() -> None:
    assert set(GOLDEN) == {channel.name for channel in CHANNELS}
    assert all(GOLDEN.values())


@pytest.mark.parametrize(("channel", "example"), EXAMPLES)
def test_a_golden_example_decodes_and_keeps_every_field(channel: Channel[Message], example: dict[str, Any]) -> None:
    message = decode(json.dumps(example).encode(), channel.message)
    written = json.loads(encode(message))
    assert _as_in(example, written) == example


def _as_in(example: Any, written: Any) -> Any:
    """What of `written` the example speaks of: fields that came later are left out."""
    if isinstance(example, dict):
        return {name: _as_in(example[name], written[name]) for name in example}
    if isinstance(example, list) and len(example) == len(written):
        return [_as_in(one, other) for one, other in zip(example, written, strict=True)]
    return written


@pytest.mark.parametrize(("channel", "example"), EXAMPLES)
def test_a_golden_example_obeys_the_published_schema(channel: Channel[Message], example: dict[str, Any]) -> None:
    schema = {"$ref": f"#/components/schemas/{channel.message.__name__}", "components": ASYNCAPI["components"]}
    jsonschema.Draft202012Validator(schema).validate(example)


def test_the_rendered_files_are_committed_as_they_are_rendered() -> None:
    files = rendered()
    assert files
    stale = [path for path, text in files.items() if (REPOSITORY / path).read_text(encoding="utf-8") != text]
    assert not stale, "run `python -m noc_bus.render`"


def test_every_reference_in_the_document_leads_somewhere() -> None:
    for reference in _references(ASYNCAPI):
        place: Any = ASYNCAPI
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_every_field_that_has_a_unit_says_so_in_its_name() -> None:
    """A number that is not a count, a share or a limit carries ms, s, pct or bytes."""
    bare = {"ttl", "packets", "drops", "lateness", "echoes_per_s"}
    for name, schema in ASYNCAPI["components"]["schemas"].items():
        for field, declared in schema.get("properties", {}).items():
            if declared.get("type") == "number":
                assert re.search(r"_(ms|s|pct|bytes)$", field) or field in bare, f"{name}.{field}"


def test_each_topic_has_one_writer_unless_it_carries_its_writers_name() -> None:
    for channel in CHANNELS:
        assert len(channel.writers) == 1 or "{service}" in channel.topic


def test_topics_of_different_channels_never_meet() -> None:
    for one in CHANNELS:
        filled = one.address(DEFAULT_ROOT, **dict.fromkeys(one.variables, "x"))
        assert [other.name for other in CHANNELS if other.match(DEFAULT_ROOT, filled) is not None] == [one.name]


@pytest.mark.parametrize(
    ("topic", "variables"),
    [
        ("noc/v1/results/berlin/core-1", {"site": "berlin", "target": "core-1"}),
        ("noc/v1/results/berlin", None),
        ("noc/v1/results/berlin/core-1/more", None),
        ("noc/v1/results/Berlin/core-1", None),
        ("noc/v1/results/berlin/core-1\n", None),
        ("noc/v1/results//core-1", None),
        ("other/v1/results/berlin/core-1", None),
        (f"noc/v1/results/{'a' * 63}/{'b' * 63}", {"site": "a" * 63, "target": "b" * 63}),
        (f"noc/v1/results/{'a' * 64}/b", None),
    ],
)
def test_a_topic_is_taken_apart_or_refused(topic: str, variables: dict[str, str] | None) -> None:
    assert RESULTS.match("noc/v1", topic) == variables


@pytest.mark.parametrize("value", ["", "+", "#", "a/b", "A", "-a", "a\n", "a" * 64, "ä"])
def test_a_topic_is_never_made_of_something_that_is_not_a_slug(value: str) -> None:
    with pytest.raises(ValueError, match="cannot stand in a topic"):
        RESULTS.address("noc/v1", site=value, target="x")


def test_a_payload_that_names_another_site_than_its_topic_is_caught() -> None:
    message = decode(json.dumps(GOLDEN["results"][0]).encode(), RESULTS.message)
    assert topic_variables.contradiction(message, {"site": "berlin", "target": "core-router-1"}) is None
    assert topic_variables.contradiction(message, {"site": "lisbon", "target": "core-router-1"})


def test_a_site_can_write_nothing_but_what_carries_its_own_name() -> None:
    for topic in rights.of_site("noc/v1", "berlin").publish:
        assert "/berlin" in topic, topic


def test_no_site_can_have_the_name_of_a_broker_user() -> None:
    assert {"web", "recorder", "alerter", "reader"} <= RESERVED_SITES


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for one in node:
            yield from _references(one)
