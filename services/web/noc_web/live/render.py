"""The browser's types of the live table: `python -m noc_web.live.render` writes them, `--check` compares them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

import noc_web
from noc_bus.render import browser
from noc_bus.render.schemas import schemas
from noc_web.live.rows import Delta, Snapshot, Tick

FILE: Final = Path(noc_web.__file__).parent / "static/js/live.d.ts"
_HEADER: Final = "// Rendered from noc_web.live.rows by `python -m noc_web.live.render`; do not edit."


def rendered() -> str:
    """The shapes themselves; the messages they hold are imported from messages.d.ts."""
    messages = schemas(browser.PREFIX)
    every = schemas(browser.PREFIX, (Snapshot, Delta, Tick))
    own = {name: schema for name, schema in every.items() if name not in messages}
    body = browser.render(own, [])
    imported = ", ".join(name for name in every if name in messages and re.search(rf"\b{name}\b", body))
    return f'{_HEADER}\nimport type {{ {imported} }} from "./messages.d.ts";\n{body}'


def main() -> int:
    if sys.argv[1:] == ["--check"]:
        if FILE.exists() and FILE.read_text(encoding="utf-8") == rendered():
            return 0
        print("live.d.ts is not as rendered; run `python -m noc_web.live.render`", file=sys.stderr)
        return 1
    FILE.write_text(rendered(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
