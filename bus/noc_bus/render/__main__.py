"""Write the rendered files of this checkout, or with --check compare them with what is committed."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

from noc_bus.render import asyncapi, browser, mosquitto, nats

REPOSITORY = Path(__file__).resolve().parents[3]


def golden(folder: Path) -> dict[str, list[dict[str, object]]]:
    """The example payloads of every channel, by its name."""
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))}


def rendered() -> dict[str, str]:
    """The content of every rendered file, by its path in the repository."""
    import yaml  # only developers render; a service must not need it

    document = asyncapi.document(golden(REPOSITORY / "bus/golden"), version("noc-bus"))
    # Where it is installed, libyaml writes the same ten times faster.
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    header = "# Rendered from noc_bus by `python -m noc_bus.render`; do not edit.\n"
    return {
        "bus/rendered/asyncapi.yaml": header
        + yaml.dump(document, Dumper=dumper, sort_keys=False, allow_unicode=True, width=120),
        "mosquitto.conf": mosquitto.render(),
        "bus/rendered/nats-permissions.json": json.dumps(nats.table(), indent=2) + "\n",
        "services/web/noc_web/static/js/messages.d.ts": browser.render(),
    }


def main() -> int:
    check = sys.argv[1:] == ["--check"]
    stale = []
    for path, content in rendered().items():
        file = REPOSITORY / path
        if check:
            if not file.exists() or file.read_text(encoding="utf-8") != content:
                stale.append(path)
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
        print(path)
    if stale:
        print(f"not as rendered: {', '.join(stale)}; run `python -m noc_bus.render`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
