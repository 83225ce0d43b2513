"""Files that hold a secret: readable by whom they are meant for from the first moment on."""

from __future__ import annotations

import os
from pathlib import Path


def write_private(path: Path, content: str, *, for_group: bool = False) -> Path:
    """Write or replace a file that only this user may read; its path. Whoever reads sees the old content or the new.

    `for_group`: the file's group may read it, too.
    """
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
        if for_group:
            os.fchmod(file.fileno(), 0o640)
    fresh.replace(path)
    return path
