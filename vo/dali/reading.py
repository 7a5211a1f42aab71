"""Requests as they come (DALI 1.1, 2): parameters of the URL and of bodies, none larger than is allowed."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.types import Message

from vo.dali.params import File, Params
from vo.errors import TooLargeError, UsageError

MAX_FIELDS = 1000
"""Parameters of one request at the most, unless its resource takes lists."""

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""A character that no XML 1.0 document can hold."""


async def read_params(request: Request, *, file_bytes: int = 0, most: int = MAX_FIELDS) -> Params:
    """The parameters of the URL and, of a POST, of the body: one list (DALI 2 and 4), of `most` each.

    A body larger than `Config.request_bytes` is refused, by its announced length or as soon as it is seen;
    with `file_bytes`, a multipart body may have as many more, and the caller has to `close` its files.
    """
    params = Params(_urlencoded(request.scope["query_string"], most))
    if request.method == "POST":
        limit = _limit(request) + (file_bytes if media_type_of(request) == _MULTIPART else 0)
        body = await _body_params(_bounded(request, limit), most)
        if not file_bytes:
            body.close()
        params = Params(params.pairs + body.pairs, body.files if file_bytes else ())
    for name, _ in params.pairs:
        if NOT_XML.search(name):
            params.close()
            raise UsageError(f"{name[:40]!r} cannot be the name of a parameter.")
    return params


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body, whatever its type; one of more than `limit` bytes is refused as it comes."""
    return await _bounded(request, limit).body()


def without_body(request: Request) -> Params:
    """The parameters of the URL alone, for requests whose body is something else."""
    return Params(_urlencoded(request.scope["query_string"], MAX_FIELDS))


async def read_text(request: Request) -> str:
    """The whole body as UTF-8, whatever its type; refused like that of `read_params`."""
    try:
        return (await _bounded(request, _limit(request)).body()).decode()
    except UnicodeDecodeError as error:
        raise UsageError("The request body is not UTF-8.") from error


async def _body_params(request: Request, most: int) -> Params:
    content_type = media_type_of(request)
    if content_type in _BODIES:
        return await _BODIES[content_type](request, most)
    if await request.body():
        raise UsageError(
            f"A request body of type {content_type or 'unknown'} cannot be read.",
            hint=f"Send {' or '.join(_BODIES)}.",
        )
    return Params()


def media_type_of(request: Request) -> str:
    """The media type of the body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _read_urlencoded(request: Request, most: int) -> Params:
    return Params(_urlencoded(await request.body(), most))


class _Multipart(MultiPartParser):
    is_whole = False

    def on_end(self) -> None:
        self.is_whole = True


async def _read_multipart(request: Request, most: int) -> Params:
    limit = _limit(request)
    parser = _Multipart(
        request.headers, request.stream(), max_files=MAX_FIELDS, max_fields=most, max_part_size=limit
    )
    parser.spool_max_size = limit  # larger files go to disk, and are gone with their last reference
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise UsageError(f"The multipart body cannot be read: {error.message}") from error
    if not parser.is_whole:
        await form.close()
        raise UsageError("The multipart body ends before its last boundary.")
    items = form.multi_items()
    return Params(
        tuple((name, value) for name, value in items if isinstance(value, str)),
        tuple(_file(name, part) for name, part in items if isinstance(part, UploadFile) and _is_sent(part)),
    )


_MULTIPART = "multipart/form-data"
_BODIES: Mapping[str, Callable[[Request, int], Awaitable[Params]]] = {
    "application/x-www-form-urlencoded": _read_urlencoded,
    _MULTIPART: _read_multipart,
}


def _is_sent(part: UploadFile) -> bool:
    """Whether it is a file: forms send an empty one without a name where none was chosen (HTML, 4.10.21)."""
    return bool(part.filename or part.size)


def _file(name: str, part: UploadFile) -> File:
    return File(name, part.filename or "", part.content_type or "", part.file, part.size or 0)


def _urlencoded(text: bytes, most: int) -> tuple[tuple[str, str], ...]:
    # Clients send UTF-8 both escaped and raw (`curl -d`); anything else would be stored garbled.
    try:
        pairs = parse_qsl(text.decode(), keep_blank_values=True, errors="strict", max_num_fields=most)
    except UnicodeDecodeError as error:
        raise UsageError("The parameters are not UTF-8.") from error
    except ValueError as error:
        raise TooLargeError(f"A request may have {most} parameters.") from error
    return tuple(pairs)


def _bounded(request: Request, limit: int) -> Request:
    """The same request, whose body ends in TooLargeError once it exceeds the limit."""
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > limit:
        raise _too_large(limit)
    seen = 0

    async def receive() -> Message:
        nonlocal seen
        message = await request.receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise _too_large(limit)
        return message

    return Request(request.scope, receive)


def _limit(request: Request) -> int:
    return int(request.app.state.context.config.request_bytes)


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"A request body may have {limit:,} bytes at the most.")
