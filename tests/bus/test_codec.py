"""Decoding is validating: whatever the bytes are, a message comes out or one exception."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noc_bus.channels import CHANNELS, RESULTS, TARGETS, Channel
from noc_bus.codec import MAX_PAYLOAD_BYTES, BadMessage, decode, encode
from noc_bus.messages import Message, ProbeResult, Target

GOOD_RESULT = {
    "site": "a", "target": "b", "epoch": 1, "seq": 1, "at": "2026-11-24T12:00:00.000Z", "address": "192.0.2.1",
    "sent": 1, "received": 1, "rtts_ms": [1.5],
}  # fmt: skip


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="one byte"),
        pytest.param(b"\xff\xfe", id="bad UTF-8"),
        pytest.param(b'"\\ud800"', id="lone surrogate"),
        pytest.param(b"[" * 100_000, id="deep nesting"),
        pytest.param(b"9" * 5000, id="long integer"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="array"),
        pytest.param(b" " * (MAX_PAYLOAD_BYTES + 1), id="too large"),
    ],
)
@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_no_payload_gets_past_the_declaration(channel: Channel[Message], payload: bytes) -> None:
    with pytest.raises(BadMessage):
        decode(payload, channel.message)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rtts_ms", "[NaN]"), ("rtts_ms", "[1e999]"), ("rtts_ms", "[-1]"), ("rtts_ms", '["10"]'),
        ("sent", "true"), ("sent", "-1"), ("sent", '"5"'), ("seq", "9223372036854775808"), ("seq", "1.5"),
        ("site", '"a/b"'), ("site", '"a\\n"'), ("site", '""'), ("at", "0"), ("at", '"1970-01-01T00:00:00Z"'),
        ("at", '"2262-05-01T00:00:00Z"'), ("address", "null"),
    ],
)  # fmt: skip
def test_a_result_with_a_wrong_value_is_refused_by_its_field(field: str, value: str) -> None:
    text = json.dumps(GOOD_RESULT | {field: "@"}).replace('"@"', value)
    with pytest.raises(BadMessage):
        decode(text.encode(), RESULTS.message)


def test_unknown_fields_are_ignored_so_that_old_readers_live_on() -> None:
    assert decode(json.dumps(GOOD_RESULT | {"new": {"x": 1}}).encode(), ProbeResult).seq == 1


def test_times_are_written_with_milliseconds() -> None:
    assert b'"at":"2026-11-24T12:00:00.000Z"' in encode(decode(json.dumps(GOOD_RESULT).encode(), ProbeResult))


def test_a_target_needs_only_id_name_and_address() -> None:
    target = decode(b'{"id":"a","name":"A","address":"192.0.2.1"}', TARGETS.message)
    assert target == Target(id="a", name="A", address="192.0.2.1")


@given(st.binary(max_size=300))
def test_random_bytes_raise_nothing_but_bad_message(payload: bytes) -> None:
    for channel in CHANNELS:
        with contextlib.suppress(BadMessage):
            decode(payload, channel.message)
