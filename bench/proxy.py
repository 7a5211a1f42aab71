"""A proxy between clients and several web servers, as small as can be: where HAProxy is not installed.

It passes connections on, in turn, to those servers whose /ready said yes a moment ago; a connection that one
refuses is tried at the next.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Sequence
from contextlib import suppress

LOOK_S = 0.3


class Proxy:
    """Connections to 127.0.0.1 ports `servers`."""

    def __init__(self, servers: Sequence[int]) -> None:
        self._servers = tuple(servers)
        self._ready = set(servers)
        self._turns = itertools.count()

    async def run(self, port: int) -> None:
        """Pass on what comes to `port`, for ever."""
        self._watching = [asyncio.create_task(self._watch(server)) for server in self._servers]
        async with await asyncio.start_server(self._pass_on, "127.0.0.1", port) as listening:
            await listening.serve_forever()

    async def _watch(self, server: int) -> None:
        while True:
            is_ready = False
            with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
                async with asyncio.timeout(2):
                    reader, writer = await asyncio.open_connection("127.0.0.1", server)
                    writer.write(b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    is_ready = (await reader.readuntil(b"\r\n")).split()[1] == b"200"
                    writer.close()
            (self._ready.add if is_ready else self._ready.discard)(server)
            await asyncio.sleep(LOOK_S)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        turn = next(self._turns)
        ready = [server for server in self._servers if server in self._ready]
        for server in ready[turn % len(ready) :] + ready[: turn % len(ready)] if ready else ():
            with suppress(ConnectionRefusedError):
                there, back = await asyncio.open_connection("127.0.0.1", server)
                await asyncio.gather(_copy(reader, back), _copy(there, writer))
                return
        writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while block := await reader.read(1 << 16):
            writer.write(block)
            await writer.drain()
    with suppress(ConnectionError, OSError):
        writer.close()


if __name__ == "__main__":
    asyncio.run(Proxy([int(port) for port in sys.argv[2:]]).run(int(sys.argv[1])))
