"""Between the demonstration and its web service, which is another process: one question a connection, as a line of JSON."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

_LONGEST_BYTES: Final = 64_000
_PATIENCE_S: Final = 5.0

Answer = Callable[[dict[str, Any]], Any]


async def open_door(path: Path, answer: Answer) -> asyncio.Server:
    """Answer at a socket of this path, which only this user may open."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = json.loads(await asyncio.wait_for(reader.readline(), _PATIENCE_S))
            writer.write(json.dumps(answer(asked)).encode() + b"\n")
            await writer.drain()
        except (OSError, ValueError, TimeoutError):
            pass  # whoever asks so has gone, or is none of ours
        finally:
            writer.close()

    return await asyncio.start_unix_server(serve, path, limit=_LONGEST_BYTES)


def ask(path: Path, **question: Any) -> Any:
    """The answer. Raises OSError, or ValueError, where the demonstration is ending."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_PATIENCE_S)
        connection.connect(str(path))
        connection.sendall(json.dumps(question).encode() + b"\n")
        with connection.makefile("rb") as file:
            return json.loads(file.readline())
