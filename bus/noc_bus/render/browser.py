"""TypeScript declarations of the messages, for the JSDoc types of the browser's modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from noc_bus.render.schemas import schemas

PREFIX: Final = "#/"
_HEADER: Final = ("// Rendered from the messages by `python -m noc_bus.render`; do not edit.",)


def render(described: Mapping[str, Mapping[str, Any]] | None = None, header: Sequence[str] = _HEADER) -> str:
    """A .d.ts file: an interface for each shape (the messages), a union of strings for each set of words."""
    parts = [*header, ""]
    for name, schema in (schemas(PREFIX) if described is None else described).items():
        if description := schema.get("description"):
            parts.append(f"/** {description} */")
        if schema.get("type") == "object":
            parts += [f"export interface {name} {{", *_fields(schema), "}", ""]
        else:
            parts += [f"export type {name} = {_type(schema)};", ""]
    return "\n".join(parts)


def _fields(schema: Mapping[str, Any]) -> list[str]:
    lines = []
    for name, field in schema["properties"].items():
        if description := field.get("description"):
            lines.append(f"  /** {description} */")
        lines.append(f"  {name}: {_type(field)};")
    return lines


def _type(schema: Mapping[str, Any]) -> str:
    """The type of one field. Writers send every field, so none is optional."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(PREFIX)
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(one) for one in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(f'"{word}"' if isinstance(word, str) else "null" for word in schema["enum"])
    kind = schema.get("type")
    if kind == "array":
        inner = _type(schema["items"])
        return f"({inner})[]" if " | " in inner else f"{inner}[]"
    if kind == "object":
        return f"Record<string, {_type(schema['additionalProperties'])}>"
    return {"integer": "number", "number": "number", "string": "string", "boolean": "boolean", "null": "null"}[
        str(kind)
    ]
