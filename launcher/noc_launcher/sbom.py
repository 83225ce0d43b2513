"""`noc sbom`: what this version is made of, as CycloneDX 1.6, from the lock. It says the same on every machine."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from typing import Any, Final

from noc_launcher.checkout import checkout, normal, runtime_blocks
from noc_launcher.errors import CommandError

_PACKAGE: Final = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)")
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def document(lock: str, of_version: str) -> dict[str, Any]:
    """Every package that running needs, with the hashes of its files. Raises CommandError for a lock that is none."""
    components = []
    for block in runtime_blocks(lock):
        found = _PACKAGE.match(block)
        if found is None:
            raise CommandError(f"requirements.lock has a line that names no version: {block.splitlines()[0][:80]!r}.")
        name = normal(found["name"])
        components.append(
            {
                "type": "library",
                "name": name,
                "version": found["version"],
                "purl": f"pkg:pypi/{name}@{found['version']}",
                "bom-ref": f"pkg:pypi/{name}@{found['version']}",
                "hashes": [{"alg": "SHA-256", "content": digest} for digest in _HASH.findall(block)],
            }
        )
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "noc", "version": of_version, "bom-ref": "noc"}},
        "components": components,
        "dependencies": [{"ref": "noc", "dependsOn": [one["bom-ref"] for one in components]}],
    }


def text() -> str:
    """Raises CommandError."""
    lock = checkout() / "requirements.lock"
    return json.dumps(document(lock.read_text(encoding="utf-8"), version("noc-launcher")), indent=1)
