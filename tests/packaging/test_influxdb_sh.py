"""deploy/influxdb.sh, with a script in the place of InfluxDB's own client, which no package here has."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.packaging.repository import ROOT

CLIENT = """#!/bin/sh
case "$1 $2 $3" in
    "bucket list --name") printf '%s\\tnoc\\tinfinite\\n' 9f11821670458215 ;;
    "v1 auth list") cat "$HOME/there" ;;
    "v1 auth create") shift 3; printf '%s\\n' "$@" > "$HOME/made" ;;
    *) exit 64 ;;
esac
"""


@pytest.mark.parametrize(
    ("there", "is_made"),
    [("", True), ("1\t\tnoc-reader-2\tactive\n", True), ("1\t\tnoc-reader\tactive\n", False)],
    ids=["nobody", "somebody else", "there already"],
)
def test_a_user_who_may_only_read_the_bucket_is_made_once(tmp_path: Path, there: str, is_made: bool) -> None:
    client, secret = tmp_path / "influx", tmp_path / "influxdb_read_password"
    client.write_text(CLIENT)
    client.chmod(0o755)
    (tmp_path / "there").write_text(there)
    secret.write_text("abc123\n")
    text = (ROOT / "deploy" / "influxdb.sh").read_text()
    assert text.count("/run/secrets/influxdb_read_password") == 1
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "DOCKER_INFLUXDB_INIT_BUCKET": "noc",
    }
    script = text.replace("/run/secrets/influxdb_read_password", str(secret))
    subprocess.run(["sh", "-c", script], env=environment, check=True)
    made = tmp_path / "made"
    assert made.exists() == is_made
    if is_made:
        words = made.read_text().split()
        assert words == ["--username", "noc-reader", "--password", "abc123", "--read-bucket", "9f11821670458215"]
