"""Input that costs more than it is worth: refused in seconds and bounded memory, while others can write."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

COSTLY: Final[dict[str, Callable[[], bytes]]] = {
    "empty objects": lambda: b"[" + b"{}," * 5_000_000 + b"{}]",
    "a long circle": lambda: (
        b"id,address,parents\n" + b"".join(b"a%d,a,a%d\n" % (number, (number + 1) % 20_000) for number in range(20_000))
    ),
    "nested": lambda: b'{"targets":' + b"[" * 5_000_000,
    "numbers": lambda: b"[" + b"1," * 7_000_000 + b"1]",
    "unknown keys": lambda: b"[{" + b",".join(b'"k%d":1' % number for number in range(1_000_000)) + b"}]",
    "many groups": lambda: (
        b'{"targets":[],"groups":{' + b",".join(b'"g%d":{}' % number for number in range(900_000)) + b"}}"
    ),
    "columns": lambda: b"address," + b",".join(b"c%d" % number for number in range(20_000)) + b"\na\n",
    "the same column": lambda: b"address," * 2_000_000 + b"\n",
    "rows": lambda: b"address\n" + b"!\n" * 7_000_000,
    "empty rows": lambda: b"address\n" + b",\n" * 7_000_000,
    "escapes": lambda: b'[{"address":"a","note":"' + b"\\n" * 7_000_000 + b'"}]',
    "one long cell": lambda: b"address\n" + b"x" * 15_000_000,
    "a long value": lambda: b'[{"address":"a","note":"' + b"x" * 15_000_000 + b'"}]',
    "a long list": lambda: b'[{"address":"a","tags":[' + b'"t",' * 3_000_000 + b'"t"]}]',
    "bad rows": lambda: b"address,packets\n" + b"!,0\n" * 49_000,
}


@pytest.mark.parametrize("kind", COSTLY)
def test_input_that_costs_more_than_it_is_worth_is_refused_while_others_can_write(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").write_bytes(COSTLY[kind]())
    refuse = [sys.executable, str(Path(__file__).with_name("refused_import.py")), str(tmp_path), str(tmp_path / "file")]
    done = subprocess.run(refuse, capture_output=True, text=True, check=True)
    status, answered_bytes, cpu_s, grown_mib = done.stdout.split()
    assert int(status) == 422
    assert int(answered_bytes) < 100_000
    assert float(cpu_s) < 15
    assert int(grown_mib) < 350
