"""Packets on a socket: the listener's handshake, then data and markers both ways."""

from __future__ import annotations

import queue
import select
import socket
import ssl
import struct
import threading
from contextlib import suppress

from oracle_wire.personality import Personality

CONNECT, ACCEPT, REFUSE, DATA, MARKER = 1, 2, 4, 6, 12
BREAK, RESET, INTERRUPT = 1, 2, 3
CAN_RECEIVE_ATTENTION = 0x0400
HAS_END_OF_RESPONSE = 0x0200_0000
END_FLAG, END_MESSAGE = 0x2000, b"\x1d"
CONNECT_DATA_LIMIT = 230
DATA_HEADER_BYTES = 10


class Channel:
    """One client's connection; packets that arrive wait in `arrived`: bytes of data, or a marker's kind.

    `interrupted` is set as soon as a break arrives, while the session is still busy. With `deaf` breaks
    are swallowed, as by a server that hangs; with `out_of_band` they come as urgent data of TCP, and as a
    marker only where no call was broken.
    """

    def __init__(
        self,
        connection: socket.socket,
        personality: Personality,
        *,
        packet_bytes: int,
        deaf: bool,
        out_of_band: bool,
    ) -> None:
        self._socket = connection
        self._personality = personality
        self._tls_lock = threading.Lock()  # two threads may not be inside one session of OpenSSL
        self._packet_bytes = packet_bytes
        self._deaf = deaf
        self.out_of_band = out_of_band
        self.arrived: queue.SimpleQueue[bytes | int | None] = queue.SimpleQueue()
        self.interrupted = threading.Event()

    def handshake(self, refuse_with: int | None) -> bool:
        """Answer the connect packet; False: the client was turned away with that ORA number."""
        connect = self._packet(large=False)
        if struct.unpack(">H", connect[24:26])[0] > CONNECT_DATA_LIMIT:
            self._packet(large=False)
        if refuse_with is not None:
            message = f"(DESCRIPTION=(TMP=)(VSNNUM=0)(ERR={refuse_with}))".encode()
            self._send(REFUSE, b"\x04\x00" + struct.pack(">H", len(message)) + message, large=False)
            return False
        options = CAN_RECEIVE_ATTENTION if self.out_of_band else 0
        flags = HAS_END_OF_RESPONSE if self._personality.says_end else 0
        terms = struct.pack(">HH20xI5xI", self._personality.protocol, options, self._packet_bytes, flags)
        self._send(ACCEPT, terms, large=False)
        return True

    def listen(self) -> None:
        """Sort what arrives until the client is gone; runs in a thread of its own."""
        with suppress(OSError, ValueError):  # the second: waiting for a socket that another thread closed
            while packet := self._packet(large=True):
                if packet[4] == DATA and len(packet) > DATA_HEADER_BYTES:  # an empty one says goodbye
                    self.arrived.put(packet[DATA_HEADER_BYTES:])
                elif packet[4] == MARKER and not self._deaf:
                    if packet[10] != RESET:
                        self.interrupted.set()
                    self.arrived.put(packet[10])
        self.arrived.put(None)
        self.interrupted.set()

    def send(self, response: bytes) -> None:
        """A response, in as many packets as it takes."""
        says_end = self._personality.says_end
        response += END_MESSAGE if says_end else b""
        room = self._packet_bytes - DATA_HEADER_BYTES
        for start in range(0, len(response), room):
            is_last = start + room >= len(response)
            flags = END_FLAG if says_end and is_last else 0
            self._send(DATA, struct.pack(">H", flags) + response[start : start + room], large=True)

    def send_marker(self, kind: int) -> None:
        """A marker: BREAK or RESET."""
        self._send(MARKER, bytes([1, 0, kind]), large=True)

    def close(self) -> None:
        """Hang up without a word."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _send(self, kind: int, body: bytes, *, large: bool) -> None:
        size = len(body) + 8
        length = struct.pack(">I", size) if large else struct.pack(">HH", size, 0)
        with self._tls_lock:
            self._socket.sendall(length + bytes([kind, 0, 0, 0]) + body)

    def _packet(self, *, large: bool) -> bytes:
        header = self._exactly(8)
        if not header:
            return b""
        size: int = struct.unpack(">I", header[:4])[0] if large else struct.unpack(">H", header[:2])[0]
        return header + self._exactly(size - 8)

    def _exactly(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            if self.out_of_band:
                self._await_data()
            piece = self._received(count - len(found))
            if not piece:
                return b""
            found += piece
        return found

    def _received(self, count: int) -> bytes:
        if not isinstance(self._socket, ssl.SSLSocket):
            return self._socket.recv(count)
        if not self._socket.pending():
            select.select([self._socket], [], [])
        with self._tls_lock:
            return self._socket.recv(count)

    def _await_data(self) -> None:
        """Wait for ordinary data; urgent data is a break."""
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN | select.POLLPRI)
        while any(event & select.POLLPRI for _, event in waiting.poll()):
            self._socket.recv(1, socket.MSG_OOB)
            self.interrupted.set()
