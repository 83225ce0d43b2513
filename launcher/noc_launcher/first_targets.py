"""The first targets of a new installation, proposed in a process of its own: the supervisor, which stays, needs no database.

`python -m noc_launcher.first_targets FOLDER`
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from noc_launcher.errors import CommandError

_PROPOSED: Final = "first-targets-proposed"


def propose_once(folder: Path) -> None:
    """On the first start put in what answers around this machine. Raises CommandError."""
    if (folder / _PROPOSED).exists():
        return
    command = [sys.executable, "-P", "-m", "noc_launcher.first_targets", str(folder)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603  # all words are ours
    if done.returncode:
        raise CommandError(done.stderr.strip().rpartition("\n")[2], done.returncode)


def propose(folder: Path, find: Callable[[], list[dict[str, object]]]) -> None:
    """Unless somebody was faster, put in what `find` finds. Raises SettingError."""
    decided = folder / _PROPOSED
    if decided.exists():
        return
    from noc_web import inventory

    inventory.add_first_targets(folder, find(), "noc up")
    decided.touch()


def main(argv: Sequence[str]) -> int:
    from noc_frame.settings import SettingError
    from noc_launcher.surroundings import answering, look_around

    try:
        propose(Path(argv[0]), lambda: answering(look_around()))
    except SettingError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
