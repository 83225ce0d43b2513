"""The mails of twenty incidents are twenty threads to mail programs that are not ours."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace

from noc_alerter.notify import letter as queued_letter
from noc_alerter.notify.mail import Mailer
from noc_bus.messages import Incident, Member, VerdictState
from noc_bus.time import Time
from noc_rules.cases import Case, Notice
from noc_rules.correlate import Why
from noc_rules.notices import Telling
from tests.alerter.conftest import FROM, OPS, T0, letter

INCIDENTS: Final = 20
NAMES: Final = ["core-sw-1", "Zürich " * 15, "[DOWN] Re: Re: trap", "日本の" * 30, "UP"]
"""Several of one name, as a target that fails again has; some that look like parts of a subject."""


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    """Three mails of each incident, in the order in which a busy server may deliver them."""
    mails = []
    for number in range(INCIDENTS):
        members = [Member(target=f"t{n}", name=NAMES[number % len(NAMES)], joined_at=T0) for n in range(1 + number % 3)]
        one = Incident(
            id=f"20261124-120000-{number:03d}-t0", kind="target-down", targets=["t0"], members=members,
            total_members=len(members), opened_at=T0, cause="no answer", sites=["paris", "lyon"][: number % 3],
        )  # fmt: skip
        case = Case(one, is_told=True, stem=queued_letter.stem(one))
        over = replace(one, resolved_at=Time(T0 + 1))
        mails += [
            letter(one),
            *queued_letter.letters(case, Telling(Notice.CHANGED, {OPS: ""}), "", T0),
            letter(over, why=Why.TARGET_RECOVERED, state=VerdictState.UP),
        ]
    random.Random(4).shuffle(mails)
    for folder in ("cur", "new", "tmp"):
        (tmp_path / "mail" / folder).mkdir(parents=True)
    for number, mail in enumerate(mails):
        (tmp_path / "mail" / "cur" / f"{number}.noc:2,").write_bytes(Mailer(FROM, "").write(mail, T0))
    return tmp_path / "mail"


def run(*command: str, env: dict[str, str]) -> str:
    done = subprocess.run(command, env=os.environ | env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_notmuch_reads_as_many_threads_as_there_are_incidents(maildir: Path, tmp_path: Path) -> None:
    if not shutil.which("notmuch"):
        pytest.skip("needs notmuch")
    config = tmp_path / "config"
    config.write_text(f"[database]\npath={maildir}\n[user]\nname=Ops\nprimary_email={OPS}\n[new]\ntags=\n")
    env = {"NOTMUCH_CONFIG": str(config)}
    run("notmuch", "new", "--quiet", env=env)
    threads = json.loads(run("notmuch", "search", "--format=json", "*", env=env))
    assert [one["total"] for one in threads] == [3] * INCIDENTS


def test_mu_reads_as_many_threads_as_there_are_incidents(maildir: Path, tmp_path: Path) -> None:
    if not shutil.which("mu"):
        pytest.skip("needs mu, of the package maildir-utils")
    env = {"MUHOME": str(tmp_path / "mu")}
    run("mu", "init", f"--maildir={maildir}", env=env)
    run("mu", "index", "--quiet", env=env)
    lines = run("mu", "find", "--threads", "--fields=s", "maildir:/", env=env).splitlines()
    # It draws an arrow before what belongs to the thread above.
    assert [bool(re.match(r"[\\/]-> Re: ", line)) for line in lines] == [False, True, True] * INCIDENTS
