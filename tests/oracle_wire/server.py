"""The listening end of the double."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from oracle_wire.channel import Channel
from oracle_wire.personality import ORACLE_19C, Personality
from oracle_wire.session import Backend, Session


class OracleDouble:
    """A server on a free port of the loopback, for the length of a `with` block.

    `packet_bytes` limits a packet, so that values are cut at every place; with `repeats` a value equal to
    that of the row before is not sent again, as real servers do; `refuse_with` is the ORA number with which
    the listener turns clients away, which may be set while it runs; a `deaf` server ignores breaks, one that
    is `out_of_band` takes them as urgent data; with `tls` it speaks nothing else.
    """

    user = "reader"
    password = "secret of the double"
    personality: Personality = ORACLE_19C

    def __init__(
        self,
        backend: Backend,
        *,
        tls: ssl.SSLContext | None = None,
        packet_bytes: int = 8192,
        repeats: bool = True,
        refuse_with: int | None = None,
        deaf: bool = False,
        out_of_band: bool = False,
    ) -> None:
        self._backend = backend
        self._tls = tls
        self._packet_bytes = packet_bytes
        self._repeats = repeats
        self.refuse_with = refuse_with
        self._breaks = {"deaf": deaf, "out_of_band": out_of_band}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._channels: list[Channel] = []
        self._threads: list[threading.Thread] = []
        self.sessions: list[Session] = []

    @property
    def dsn(self) -> str:
        """Where the driver finds it."""
        port = self._listener.getsockname()[1]
        return f"tcps://localhost:{port}/double" if self._tls else f"127.0.0.1:{port}/double"

    def __enter__(self) -> Self:
        """Listen."""
        self._started(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up on everyone and wait for the threads."""
        self.kill()
        for thread in self._threads:
            thread.join(10)

    def kill(self) -> None:
        """Die as a server does whose machine lost its power."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()

    def hang_up(self) -> None:
        """Drop every connection without a word, and go on listening."""
        for channel in self._channels:
            channel.close()

    def _started(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._started(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        try:
            plain = connection if self._tls is None else self._tls.wrap_socket(connection, server_side=True)
        except OSError:  # the client does not like our certificate
            connection.close()
            return
        channel = Channel(plain, self.personality, packet_bytes=self._packet_bytes, **self._breaks)
        self._channels.append(channel)
        try:
            if channel.handshake(self.refuse_with):
                self._started(channel.listen)
                session = Session(
                    channel,
                    self._backend,
                    self.password,
                    personality=self.personality,
                    repeats=self._repeats,
                )
                self.sessions.append(session)
                session.serve()
        except OSError:
            pass  # the client is gone
        finally:
            channel.close()
