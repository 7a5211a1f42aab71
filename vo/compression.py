"""Answers in the encoding that a client takes (RFC 9110, 8.4 and 12.5.3), block by block as they stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import zstandard
from isal import isal_zlib
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SMALLEST = 1_024
"""Bytes of an answer of known size that are worth the work."""

_PACKED = ("image/png", "image/jpeg", "application/vnd.apache.parquet", "application/gzip", "application/zip")
"""Types that are compressed by themselves."""

_OK = 200


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self, mode: int, /) -> bytes: ...


class _Encoding:
    """One stream on its way: every block can be read by the client as soon as it has it."""

    def __init__(self, compressor: _Compressor, block: int, end: int) -> None:
        self._compressor = compressor
        self._block, self._end = block, end

    def encoded(self, body: bytes, *, more: bool) -> bytes:
        """The block, and the end of the stream behind the last one."""
        packed = self._compressor.compress(body) if body else b""
        return packed + self._compressor.flush(self._block if more else self._end)


def _gzip() -> _Encoding:
    return _Encoding(isal_zlib.compressobj(1, wbits=31), isal_zlib.Z_SYNC_FLUSH, isal_zlib.Z_FINISH)


def _zstd() -> _Encoding:
    compressor = zstandard.ZstdCompressor(level=1).compressobj()
    return _Encoding(compressor, zstandard.COMPRESSOBJ_FLUSH_BLOCK, zstandard.COMPRESSOBJ_FLUSH_FINISH)


ENCODINGS: Mapping[str, Callable[[], _Encoding]] = {"zstd": _zstd, "gzip": _gzip}
"""What clients may ask for, the better first."""


def chosen(accept_encoding: str) -> str | None:
    """The encoding for a client that sends this header; None: as it is.

    >>> chosen("gzip, deflate, br"), chosen("gzip;q=0, *;q=0.1"), chosen("identity"), chosen("gzip;q=x")
    ('gzip', 'zstd', None, None)
    """
    weights: dict[str, float] = {}
    for item in accept_encoding.lower().split(","):
        name, _, parameter = item.partition(";")
        weights[name.strip()] = _weight(parameter)
    taken = {name: weights.get(name, weights.get("*", 0.0)) for name in ENCODINGS}
    best = max(taken, key=lambda name: taken[name])
    return best if taken[best] and taken[best] >= weights.get("identity", 0.0) else None


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if not name.strip():
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0) if name.strip() == "q" else 0.0
    except ValueError:
        return 0.0


class Compression:
    """Middleware that encodes answers; packed types, and files that can be had in parts, stay as they are.

    Of a file clients want to know the length, and to go on with where they stopped.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer through an encoder, if the client takes one."""
        headers = Headers(scope=scope) if scope["type"] == "http" else None
        name = None if headers is None else chosen(headers.get("accept-encoding", ""))
        if headers is None or name is None or scope["method"] == "HEAD" or "range" in headers:
            await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, _Answer(name, send).send)


class _Answer:
    """What passes to the client; its head decides whether it is encoded."""

    def __init__(self, name: str, send: Send) -> None:
        self._name = name
        self._send = send
        self._encoding: _Encoding | None = None

    async def send(self, message: Message) -> None:
        """Pass a message on, encoded if that was chosen."""
        if message["type"] == "http.response.start":
            self._begin(message)
            await self._send(message)
        elif message["type"] == "http.response.body" and self._encoding is not None:
            body, more = message.get("body", b""), message.get("more_body", False)
            packed = await run_in_threadpool(self._encoding.encoded, body, more=more)
            if packed or not more:
                await self._send({**message, "body": packed})
        else:
            await self._send(message)

    def _begin(self, message: Message) -> None:
        headers = MutableHeaders(raw=list(message["headers"]))
        media_type = headers.get("content-type", "").partition(";")[0].strip()
        small = int(headers.get("content-length", _SMALLEST)) < _SMALLEST
        headers.add_vary_header("Accept-Encoding")
        is_plain = media_type not in _PACKED and not {"content-encoding", "accept-ranges"} & set(headers)
        if message["status"] == _OK and is_plain and not small:
            self._encoding = ENCODINGS[self._name]()
            headers["Content-Encoding"] = self._name
            del headers["Content-Length"]
            if etag := headers.get("etag"):  # other bytes than those it was made for (RFC 9110, 8.8.1)
                headers["ETag"] = etag if etag.startswith("W/") else f"W/{etag}"
        message["headers"] = headers.raw
