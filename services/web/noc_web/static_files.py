"""The browser's files: read once at the start, compressed once when first asked for, and kept by browsers for good.

Their path has a hash of the whole folder in it, so that an upgrade is a new path for all of them.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

ROOT: Final = "/static/"
_COMPRESSED: Final = (".css", ".js", ".svg", ".txt")
_TYPES: Final = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
_FOR_GOOD: Final = "public, max-age=31536000, immutable"
_ASK_EACH_TIME: Final = "no-cache"
_HASH_LENGTH: Final = 16

Environ = dict[str, Any]
App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True)
class _File:
    media_type: str
    plain: bytes
    may_shrink: bool

    @cached_property
    def gzipped(self) -> bytes | None:
        """None: as large as it is plain."""
        # Without a time in it: the same bytes in every process.
        gzipped = gzip.compress(self.plain, 9, mtime=0) if self.may_shrink else self.plain
        return gzipped if len(gzipped) < len(self.plain) else None


class Folder:
    """All files of a folder as they were when it was read."""

    def __init__(self, folder: Path) -> None:
        paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".d.ts"))
        self.files = {str(path.relative_to(folder)): _read(path) for path in paths}
        whole = hashlib.sha256()
        for name, file in self.files.items():
            whole.update(f"{name} {len(file.plain)}\n".encode() + file.plain)
        self.hash = whole.hexdigest()[:_HASH_LENGTH]


class StaticFiles:
    """A WSGI application before another: files are answered from memory, without a thread or the application."""

    def __init__(self, folder: Folder, headers: dict[str, str], behind: App) -> None:
        """`headers` go with every file."""
        self._files = folder.files
        self.hash = folder.hash
        self._headers = headers
        self._behind = behind

    def url(self, name: str) -> str:
        """The path of a file for pages. Raises KeyError where there is none."""
        self._files[name]
        return f"{ROOT}{self.hash}/{name}"

    def names(self, prefix: str, suffix: str) -> list[str]:
        return [name for name in self._files if name.startswith(prefix) and name.endswith(suffix)]

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = str(environ.get("PATH_INFO", ""))
        if not path.startswith(ROOT) or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return self._behind(environ, start_response)
        name = path.removeprefix(ROOT)
        is_hashed = name.startswith(f"{self.hash}/")
        file = self._files.get(name.removeprefix(f"{self.hash}/"))
        if file is None:
            return self._behind(environ, start_response)
        headers = {
            **self._headers,
            "Content-Type": file.media_type,
            "Cache-Control": _FOR_GOOD if is_hashed else _ASK_EACH_TIME,
            "ETag": f'"{self.hash}"',
            "Vary": "Accept-Encoding",
        }
        if environ.get("HTTP_IF_NONE_MATCH") == headers["ETag"]:
            start_response("304 Not Modified", list(headers.items()))
            return []
        body = file.plain
        if "gzip" in environ.get("HTTP_ACCEPT_ENCODING", "") and file.gzipped is not None:
            body = file.gzipped
            headers["Content-Encoding"] = "gzip"
        start_response("200 OK", [*headers.items(), ("Content-Length", str(len(body)))])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def _read(path: Path) -> _File:
    plain = path.read_bytes()
    media_type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return _File(media_type, plain, path.suffix in _COMPRESSED)
