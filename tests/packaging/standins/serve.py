"""What influxdb.Dockerfile starts: the engine with its front where docker-compose.yml expects InfluxDB 2."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from influx_engine import InfluxEngine  # type: ignore[import-not-found]  # beside this file in the image

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
token = Path(os.environ["DOCKER_INFLUXDB_INIT_ADMIN_TOKEN_FILE"]).read_text(encoding="utf-8").strip()
engine = InfluxEngine(Path("/var/lib/influxdb2"), ("0.0.0.0", 8086), token)
engine.make_bucket(os.environ["DOCKER_INFLUXDB_INIT_BUCKET"])
# As deploy/influxdb.sh has it made, by a client that Debian has not.
engine.reader = "noc-reader:" + Path("/run/secrets/influxdb_read_password").read_text(encoding="utf-8").strip()
signal.pause()
