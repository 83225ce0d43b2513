"""A NOC of the version before is brought up to date piece by piece, and nobody who looks at it notices."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from noc_netlab.lab import Netlab
from tests.parts.before import code_of, on_path
from tests.parts.figures import Figures
from tests.parts.smtp import SmtpSink
from tests.parts.waiting import wait_until
from tests.scenarios.whole import CENTRAL, Noc

BEFORE: Final = "79f9760ea4cd490bdd48ade734509fb9224d1679"
"""The last state in which a site had no key: the version before this one. A release moves it on."""
HOST: Final = "10.99.0.77"
SITES: Final = ("here", "there")
# Of a busy machine; who has what they wait for waits no longer.
DONE_S: Final = 60.0


class NocBefore(Noc):
    """Made of the code of the version before; what `update` names is started again from this one's."""

    def __init__(self, folder: Path, mails: SmtpSink, code: Path) -> None:
        super().__init__(folder, mails, sites=SITES)
        self.broker.before = SITES
        self._before = on_path(code)
        self.environment |= self._before

    def _new_token(self) -> str:
        """Made by the code that runs: a newer one would have opened the database for good."""
        program = (
            "import sys; from pathlib import Path; from noc_web.auth.accounts import Accounts; "
            "from noc_web.database.opening import Database; "
            "print(Accounts(Database(Path(sys.argv[1]))).create_token('test', 'admin'))"
        )
        environment = os.environ | self._before
        command = [sys.executable, "-c", program, str(self.data)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()

    def update(self, *names: str) -> None:
        for name in names:
            self.processes.stop(name)
        self.environment.clear()
        for name in names:
            if name in CENTRAL:
                self.start(name)
            else:
                self.start_prober(name)
        wait_until(self.is_whole, DONE_S, f"{names} up to date", seen=lambda: self.logs)


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of the version before, out of the history."""
    return code_of(BEFORE, tmp_path_factory.mktemp("before"))


def test_a_noc_is_brought_up_to_date_piece_by_piece_and_loses_nothing(
    netlab: Netlab, smtp_sink: SmtpSink, tmp_path: Path, code: Path, figure: Figures
) -> None:
    with NocBefore(tmp_path, smtp_sink, code) as noc:
        assert "/site-keys" not in noc.get("openapi.json")["paths"], "it is another version"
        target = {"id": "host", "address": HOST, "interval_s": 1, "packets": 1, "timeout_ms": 500}
        assert noc.ask("POST", "targets", target)[0] == 201
        noc.wait_states({"host": "UP"}, DONE_S)
        first_ms = {site: grown(noc, site, 0) for site in SITES}
        # A site before the middle, the middle before the other site.
        for names in (("here",), CENTRAL, ("there",)):
            noc.update(*names)
            noc.wait_states({"host": "UP"}, DONE_S)
            for site in SITES:
                grown(noc, site, noc.cycles("host", site)[-1][0])
                path(noc, site)
        assert "/site-keys" in noc.get("openapi.json")["paths"]
        # What is added then reaches both sites, as what is assigned to them.
        assert noc.ask("POST", "targets", target | {"id": "later", "sites": ["there"]})[0] == 201
        noc.wait_states({"host": "UP", "later": "UP"}, DONE_S)
        longest_ms = max(
            after - before
            for site in SITES
            for before, after in itertools.pairwise([first_ms[site], *(row[0] for row in noc.cycles("host", site)[1:])])
        )
        outages = noc.get("targets/host/states")["outages"]
        assert (outages, noc.mails.mails) == ([], [])
        figure.at_most("longest_gap_s", longest_ms / 1000, DONE_S)


def grown(noc: Noc, site: str, after_ms: int) -> int:
    """The start of the first stored cycle, once one has come after that moment."""
    wait_until(
        lambda: [row for row in noc.cycles("host", site) if row[0] > after_ms + 2000],
        DONE_S,
        f"cycles of {site}",
        seen=lambda: noc.logs,
    )
    first: int = noc.cycles("host", site)[0][0]
    return first


def path(noc: Noc, site: str) -> None:
    """A command and its outcome, between versions."""
    before = noc.get("targets/host/traces")["traces"].get(site, {}).get("at")
    assert noc.ask("POST", "targets/host/trace", {"site": site})[0] == 202

    def is_new() -> bool:
        found = noc.get("targets/host/traces")["traces"].get(site)
        return bool(found and found["at"] != before and found["reached"])

    wait_until(is_new, DONE_S, f"a path from {site}", seen=lambda: noc.logs)
