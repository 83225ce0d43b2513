"""The tests' own DNS server is the one that processes ask."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.parts.dns import Dns

_ASK = "import socket; print(sorted({one[4][0] for one in socket.getaddrinfo('web.lab', None)}))"


def test_a_process_asks_this_server_and_no_other(own_network: None, tmp_path: Path) -> None:
    with Dns(tmp_path) as dns:
        dns.names["web.lab"] = ["10.99.0.1", "fd99::1"]
        command = dns.asking_it(sys.executable, "-c", _ASK)
        assert (
            subprocess.run(command, capture_output=True, text=True, check=True).stdout == "['10.99.0.1', 'fd99::1']\n"
        )
        dns.names["web.lab"] = ["10.99.0.2"]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "['10.99.0.2']\n"
        dns.is_silent = True
        assert subprocess.run(command, capture_output=True, text=True, check=False).returncode != 0
