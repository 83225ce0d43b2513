"""No package in the lock is older than the fix of a vulnerability that we know of; `.ci/audit` asks for those we do not."""

from __future__ import annotations

import re

import pytest

from tests.packaging.repository import ROOT

FIRST_FIXED = {
    "certifi": ("2024.7.4", "CVE-2024-39689"),
    "cryptography": ("44.0.1", "CVE-2024-12797"),
    "flask": ("3.1.1", "CVE-2025-47278"),
    "gevent": ("23.9.0", "CVE-2023-41419"),
    "h11": ("0.16.0", "CVE-2025-43859"),
    "idna": ("3.7", "CVE-2024-3651"),
    "jinja2": ("3.1.6", "CVE-2025-27516"),
    "python-engineio": ("4.0.0", "CVE-2019-13611"),
    "python-socketio": ("5.14.0", "CVE-2025-61765"),
    "requests": ("2.32.4", "CVE-2024-47081"),
    "urllib3": ("2.6.0", "CVE-2025-66418"),
    "werkzeug": ("3.0.6", "CVE-2024-34069, CVE-2024-49766, CVE-2024-49767"),
}


def locked() -> dict[str, str]:
    """The version of every package."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", text, re.MULTILINE))


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(one) for one in re.findall(r"\d+", version.partition(".post")[0]))


@pytest.mark.parametrize("name", FIRST_FIXED)
def test_a_package_is_not_older_than_the_fix_of_its_known_vulnerabilities(name: str) -> None:
    least, advisory = FIRST_FIXED[name]
    assert numbers(locked()[name]) >= numbers(least), f"{name} {locked()[name]} has {advisory}"


def test_the_audit_takes_the_lock_as_it_is() -> None:
    """It reads lines NAME==VERSION with hashes, and nothing else."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for block in re.split(r"\n(?=[^ #\n])", text):
        lines = [line for line in block.splitlines() if line and not line.startswith("#")]
        assert not lines or re.fullmatch(r"[a-z0-9-]+==[^ ;\\]+( ; [^\\]+)? \\", lines[0]), lines[0]
        assert all(re.fullmatch(r" {4}--hash=sha256:[0-9a-f]{64}( \\)?", line) for line in lines[1:])
        assert len(lines) != 1
