"""JSON Schemas of all messages, as the AsyncAPI document and the browser's types use them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from noc_bus.channels import CHANNELS
from noc_bus.time import Time


def schemas(prefix: str = "#/components/schemas/", types: Sequence[type] | None = None) -> dict[str, dict[str, Any]]:
    """By type name: every message (or the given types) and every type they use."""
    _, components = msgspec.json.schema_components(
        types or [channel.message for channel in CHANNELS], schema_hook=_schema_of, ref_template=prefix + "{name}"
    )
    return {name: _on_one_line(components[name]) for name in sorted(components)}


def _schema_of(kind: type) -> dict[str, Any]:
    if kind is Time:
        return {"type": "string", "format": "date-time"}
    raise NotImplementedError(kind)


def _on_one_line(schema: dict[str, Any]) -> dict[str, Any]:
    """Docstrings wrapped for code become one line a paragraph."""
    if "description" in schema:
        schema = schema | {"description": " ".join(schema["description"].split())}
    return schema
