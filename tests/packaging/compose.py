"""Reads docker-compose.yml as Compose does: variables put in, anchors followed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from tests.packaging.repository import ROOT
from tests.parts import yamlfile

TEXT: Final = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
SECRETS: Final = "/run/secrets/"
_VARIABLE: Final = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>[A-Z_]+):-(?P<default>[^}]*)\}|(?P<other>.))")


@cache
def variables() -> dict[str, set[str]]:
    """Every variable that the file asks for, with its defaults."""
    found: dict[str, set[str]] = {}
    for match in _VARIABLE.finditer(_without_comments()):
        assert not match["other"], f"write ${{NAME:-default}}, not {match[0]}"
        if match["name"]:
            found.setdefault(match["name"], set()).add(match["default"])
    return found


def load(environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    whole: dict[str, Any] = _filled(yamlfile.parse(TEXT), environment or {})
    return whole


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = load()["services"]
    return found


def promised_secrets() -> dict[str, str]:
    """What the comment at the top says of each file in secrets/."""
    head = TEXT.partition("\nname:")[0]
    return dict(re.findall(r"^#     (\S+) {2,}(\S.*)$", head, re.MULTILINE))


def _filled(value: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(one, environment) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, environment) for one in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda m: "$" if m["dollar"] else environment.get(m["name"]) or m["default"], value)
    return value


def _without_comments() -> str:
    return "\n".join(line for line in TEXT.splitlines() if not line.lstrip().startswith("#"))
