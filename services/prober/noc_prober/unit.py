"""`noc-prober --systemd --join TOKEN`: the prober of a site as a service of its machine, with no right but to ping."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from noc_bus import join
from noc_frame.exit_codes import EXIT_SETTINGS
from noc_frame.files import write_private

FLAG: Final = "--systemd"
NAME: Final = "noc-prober.service"
UNIT: Final = Path("etc/systemd/system") / NAME
TOKEN: Final = Path("etc/noc-prober.join")
_SHIPPED: Final = Path(__file__).with_name(NAME)
_SHIPPED_PROGRAM: Final = "/opt/noc/bin/noc-prober"


class NotInstalled(Exception):
    """Why, in a sentence with the cure."""


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="noc-prober", description="Install the prober as a service of systemd.")
    parser.add_argument(FLAG, action="store_true")
    parser.add_argument("--join", metavar="TOKEN", default=os.environ.get(join.JOIN.name, ""))
    token = parser.parse_args(argv).join
    try:
        site = install(token, Path(sys.executable).with_name("noc-prober"))
        _start()
    except NotInstalled as refused:
        print(f"noc-prober: {refused}", file=sys.stderr)
        return EXIT_SETTINGS
    print(f"The prober of {site} runs as {NAME}; `journalctl -u {NAME}` shows what it says.", file=sys.stderr)
    return 0


def install(token: str, program: Path, root: Path = Path("/")) -> str:
    """Write unit and token below `root`; the site's name. A second time another token takes the place of the first.

    Raises NotInstalled.
    """
    try:
        site = join.parse(token).site
    except ValueError as error:
        raise NotInstalled(f"--join: {error}; use {join.JOIN.accepts}.") from None
    for folder in (program, *program.parents):
        if not folder.exists() or not folder.stat().st_mode & 0o001:
            raise NotInstalled(
                f"{folder} is closed to other users, and the service runs as one of its own: "
                "install the prober where everybody may run it, such as in /opt/noc."
            )
    text = _SHIPPED.read_text(encoding="utf-8").replace(_SHIPPED_PROGRAM, str(program))
    try:
        write_private(root / TOKEN, f"{token}\n")
        (root / UNIT).write_text(text, encoding="utf-8")
    except OSError as error:
        raise NotInstalled(f"{error.filename} cannot be written ({error.strerror}); run this as root (sudo).") from None
    return site


def _start() -> None:
    """Raises NotInstalled."""
    systemctl = shutil.which("systemctl")
    if systemctl is None or not Path("/run/systemd/system").exists():
        raise NotInstalled(f"/{UNIT} is written, but systemd does not run here: start it where it does.")
    for words in (["daemon-reload"], ["enable", NAME], ["restart", NAME]):
        done = subprocess.run([systemctl, *words], capture_output=True, text=True, check=False)  # noqa: S603  # all words are ours
        if done.returncode:
            raise NotInstalled(f"systemctl {' '.join(words)} failed: {done.stderr.strip()}")
