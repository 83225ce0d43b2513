"""One option is declared in one place: in a copy of the code with one more declaration, everything has it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.parts.node import node

REPOSITORY = Path(__file__).resolve().parents[2]
DECLARED = """    dscp: Annotated[
        int,
        Meta(ge=0, le=63, title="DSCP", description="class of service of the echo requests"),
        _option(_PINGED, "nearest"),
    ] = 0
"""
ASK = """
import json
from noc_web.api import ROUTES
from noc_web.api.openapi import render
from noc_web.catalog import options, table
own = options.target_body({"address": "10.0.0.1", "group": "core", "note": "x"})
refused = ""
try:
    options.target_body({"address": "10.0.0.1", "dscp": 64})
except Exception as problem:
    refused = problem.detail
print(json.dumps({
    "openapi": render(ROUTES),
    "resolved": options.resolved(own, {"core": options.group_body({"dscp": 46})}).dscp,
    "refused": refused,
    "csv": table.to_csv({"a": own | {"dscp": 10}}),
    "read": table.read(b"address,dscp\\n10.0.0.1,12\\n").targets,
    "readme": options.described(),
}))
"""


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a copy of the code with one more declaration says."""
    copy = tmp_path_factory.mktemp("copy")
    for package in ("frame/noc_frame", "bus/noc_bus", "rules/noc_rules", "history/noc_history", "services/web/noc_web"):
        shutil.copytree(REPOSITORY / package, copy / Path(package).name)
    messages = copy / "noc_bus" / "messages.py"
    text = messages.read_text(encoding="utf-8")
    declarations = text.replace("    down_after: _DownAfter =", f"{DECLARED}    down_after: _DownAfter =", 1)
    assert declarations != text
    messages.write_text(declarations, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        env=os.environ | {"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_it_is_in_the_api_and_its_description(answered: Any) -> None:
    schemas = answered["openapi"]["components"]["schemas"]
    for body in ("NewTarget", "TargetChanges", "GroupOptions"):
        assert schemas[body]["properties"]["dscp"]["anyOf"][0]["maximum"] == 63
    assert schemas["Target"]["properties"]["dscp"]["default"] == 0


def test_its_limits_are_in_the_sentence_of_a_refusal(answered: Any) -> None:
    assert answered["refused"] == "dscp: 64 is not accepted; use a whole number from 0 to 63."


def test_a_group_hands_it_down(answered: Any) -> None:
    assert answered["resolved"] == 46


def test_it_is_a_column_of_files_both_ways(answered: Any) -> None:
    head, row = answered["csv"].splitlines()
    assert dict(zip(head.split(","), row.split(","), strict=True))["dscp"] == "10"
    assert answered["read"] == [{"address": "10.0.0.1", "dscp": 12}]


def test_the_readme_is_asked_for_it(answered: Any) -> None:
    row = "| `dscp` | class of service of the echo requests | a whole number from 0 to 63 | 0 | the nearest wins |"
    assert row in answered["readme"]
    assert answered["readme"] not in (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_the_form_of_the_browser_has_it(answered: Any, tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(answered["openapi"]))
    script = tmp_path / "ask.mjs"
    options = REPOSITORY / "services/web/noc_web/static/js/options.js"
    script.write_text(
        f"import {{ declared, fieldsOf }} from {json.dumps(options.as_uri())};\n"
        "import { readFileSync } from 'node:fs';\n"
        f"const fields = fieldsOf(declared(JSON.parse(readFileSync({json.dumps(str(tmp_path / 'openapi.json'))}, 'utf8'))).target);\n"
        "console.log(JSON.stringify(fields.find((field) => field.name === 'dscp')));\n"
    )
    done = subprocess.run([node(), str(script)], capture_output=True, text=True, check=True)
    field = json.loads(done.stdout)
    assert (field["label"], field["kind"], field["section"], field["inherited"]) == (
        "DSCP", "number", "How it is pinged", "nearest",
    )  # fmt: skip
    assert field["help"] == "class of service of the echo requests; 0 to 63"
