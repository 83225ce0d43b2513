"""The way from the sites, which have networks of their own, to the broker in the machine's network."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Mapping
from typing import Final

_PORTION_BYTES: Final = 65_536


class Gates:
    """Runs on the event loop. Whoever connects at a site's gate is connected to the broker."""

    def __init__(self, broker_port: int) -> None:
        self._broker_port = broker_port
        self._servers: list[asyncio.Server] = []
        self._cut: set[str] = set()
        self._ways: dict[asyncio.Task[None], str] = {}

    async def start(self, gates: Mapping[str, socket.socket]) -> None:
        for site, gate in gates.items():

            def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, site: str = site) -> None:
                way = asyncio.ensure_future(self._join(site, reader, writer))
                self._ways[way] = site
                way.add_done_callback(lambda done: self._ways.pop(done, None))

            self._servers.append(await asyncio.start_server(accept, sock=gate))

    def cut(self, site: str) -> None:
        """Nothing passes any more, and nobody is told, as when a cable is cut."""
        self._cut.add(site)

    def mend(self, site: str) -> None:
        """Whatever was connected before is not any more: what it sent meanwhile was lost."""
        self._cut.discard(site)
        for way, at in list(self._ways.items()):
            if at == site:
                way.cancel()

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        for way in list(self._ways):
            way.cancel()
        await asyncio.gather(*self._ways, return_exceptions=True)

    async def _join(self, site: str, near: asyncio.StreamReader, near_end: asyncio.StreamWriter) -> None:
        far_end: asyncio.StreamWriter | None = None
        try:
            if site in self._cut:
                await asyncio.Event().wait()
            far, far_end = await asyncio.open_connection("127.0.0.1", self._broker_port)
            ways = [self._pour(site, near, far_end), self._pour(site, far, near_end)]
            await asyncio.gather(*(asyncio.ensure_future(one) for one in ways))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for end in (near_end, far_end):
                if end is not None:
                    end.transport.abort()

    async def _pour(self, site: str, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while portion := await source.read(_PORTION_BYTES):
            if site in self._cut:
                # Until it is mended, which ends this connection.
                await asyncio.Event().wait()
            sink.write(portion)
            await sink.drain()
        if site in self._cut:
            await asyncio.Event().wait()
        with contextlib.suppress(OSError):
            sink.close()
