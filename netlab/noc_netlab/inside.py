"""Enters a site of `Sites`, and becomes a command there: `python -m noc_netlab.inside USER NETWORK COMMAND…`.

Names are looked up at the site's own name server. The system's files that say otherwise are covered
for this process and its children alone.
"""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from pathlib import Path
from typing import Final, NoReturn

from noc_netlab.namespace import NoNamespace

_CLONE_NEWNS: Final = 0x00020000
_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000
_MS_BIND: Final = 0x1000
_MS_REC: Final = 0x4000
_MS_PRIVATE: Final = 1 << 18
_FILES: Final = {
    "/etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:2\n",
    "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "/etc/nsswitch.conf": "hosts: files dns\n",
}
# A cache that glibc asks before all else: by a socket in this folder, which no network namespace holds back.
_NAME_CACHE: Final = "/var/run/nscd"


def enter(user: str, network: str) -> None:
    """Move this process, which has one thread, to a site. Raises NoNamespace."""
    try:
        # First, while the path is still ours to open.
        network_fd = os.open(network, os.O_RDONLY)
        if not Path(user).samefile("/proc/self/ns/user"):
            _call("setns", os.open(user, os.O_RDONLY), _CLONE_NEWUSER)
        _call("setns", network_fd, _CLONE_NEWNET)
        _call("unshare", _CLONE_NEWNS)
        _mount(b"none", b"/", _MS_REC | _MS_PRIVATE)
        _cover()
    except OSError as error:
        raise NoNamespace(f"the site's namespace cannot be entered ({error})") from None


def _cover() -> None:
    # What is covered stays so when the folder is gone: the mount holds on to it.
    with tempfile.TemporaryDirectory(prefix="noc-site-") as folder:
        for number, (path, content) in enumerate(_FILES.items()):
            if Path(path).exists():
                cover = Path(folder, str(number))
                cover.write_text(content, encoding="ascii")
                _mount(os.fsencode(cover), os.fsencode(Path(path).resolve()), _MS_BIND)
        if Path(_NAME_CACHE).exists():
            _mount(os.fsencode(folder), os.fsencode(Path(_NAME_CACHE).resolve()), _MS_BIND)


def _mount(source: bytes, target: bytes, flags: int) -> None:
    _call("mount", source, target, None, ctypes.c_ulong(flags), None)


def _call(name: str, *arguments: object) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def main() -> NoReturn:
    user, network, *command = sys.argv[1:]
    try:
        enter(user, network)
    except NoNamespace as error:
        sys.exit(str(error))
    os.execvp(command[0], command)  # noqa: S606  # our caller's words


if __name__ == "__main__":
    main()
