"""What DALI 1.1 asks of every service: its parameters, its timestamps and its error documents."""

from __future__ import annotations

import html
import json
import re
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, BinaryIO
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from vo.errors import (
    MethodError,
    NotFoundError,
    ReportedError,
    TooLargeError,
    UsageError,
    VOError,
)
from vo.log import logger
from vo.votable.document import error_document

log = logger(__name__)

MAX_FIELDS = 1000
"""Parameters of one request at the most, unless its resource takes lists."""

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""A character that no XML 1.0 document can hold."""

VOTABLE_TYPE = "application/x-votable+xml"
"""The media type of error documents."""

HTML_TYPE = "text/html; charset=utf-8"
"""The media type of pages."""

_ERROR_TELLER = "vo.error_teller"
_HTML = ("text/html", "application/xhtml+xml")
_XML = ("application/xml", "text/xml", VOTABLE_TYPE)
_WEIGHT = re.compile(r"(?:^|;)\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*(?:;|$)")
_PHRASES = frozenset(HTTPStatus)
_LINK = re.compile(r"(?<=\s)(?:https?://|/tap\?)[^\s<>]+")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}\Z")
_INSTANT = re.compile(
    r"(?P<year>\d{4})(-(?P<month>\d\d)(-(?P<day>\d\d)"
    r"(T(?P<hour>\d\d):(?P<minute>\d\d)(:(?P<second>\d\d)(\.(?P<fraction>\d+))?)?)?)?)?Z?\Z",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class File:
    """A file part of a multipart request: `content` stands at its beginning."""

    name: str
    filename: str
    content_type: str
    content: BinaryIO
    size: int


@dataclass(frozen=True, slots=True)
class Params:
    """The parameters of a request as they were sent; every look-up ignores the case of names (DALI 4.1).

    >>> params = Params((("Query", "SELECT 1"), ("maxrec", "5")))
    >>> params.single("QUERY"), params.integer("MAXREC"), params.single("LANG")
    ('SELECT 1', 5, None)
    """

    pairs: tuple[tuple[str, str], ...] = ()
    files: tuple[File, ...] = ()

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a parameter that may be repeated, in the order sent."""
        return tuple(value for key, value in self.pairs if key.upper() == name.upper())

    def single(self, name: str) -> str | None:
        """The value of a parameter that may be given once (DALI 4.2); None: not given."""
        values = self.all(name)
        if len(values) > 1:
            raise UsageError(f"{name} was given {len(values)} times and takes one value.")
        return values[0] if values else None

    def integer(self, name: str, *, minimum: int | None = None) -> int | None:
        """The whole number given once as `name`, at least `minimum`; None: not given."""
        text = self.single(name)
        if text is None:
            return None
        if not _INTEGER.match(text.strip()):
            raise UsageError(f"{name} must be a whole number, not {text[:40]!r}.")
        value = int(text)
        if minimum is not None and value < minimum:
            raise UsageError(f"{name} must be at least {minimum}, but is {value}.")
        return value

    def instant(self, name: str) -> datetime | None:
        """The time given once as `name`, see `parse_instant`; None: not given."""
        text = self.single(name)
        return None if text is None else parse_instant(text, name)

    def filled(self) -> Params:
        """All but those without a value, as forms send every field."""
        return Params(tuple(pair for pair in self.pairs if pair[1].strip()), self.files)

    def close(self) -> None:
        """Give the files back."""
        for file in self.files:
            file.content.close()

    def without(self, *names: str) -> Params:
        """All parameters but those named."""
        return Params(tuple(pair for pair in self.pairs if pair[0].upper() not in names), self.files)


def parse_instant(text: str, name: str = "The time") -> datetime:
    """The instant that a DALI timestamp (3.1.2) names, or one cut short after the year, month, day or minute.

    >>> parse_instant("2015-10-26T09:00").isoformat(), parse_instant("2015").isoformat()
    ('2015-10-26T09:00:00+00:00', '2015-01-01T00:00:00+00:00')
    """
    match = _INSTANT.match(text.strip())
    if match is None:
        raise UsageError(f"{name} must be a UTC time like 2026-03-01T12:00:00Z, not {text[:40]!r}.")
    part = match.groupdict(default="")
    date = int(part["year"]), int(part["month"] or 1), int(part["day"] or 1)
    time = int(part["hour"] or 0), int(part["minute"] or 0), int(part["second"] or 0)
    try:
        return datetime(*date, *time, int(part["fraction"][:6].ljust(6, "0")), tzinfo=UTC)
    except ValueError as error:
        raise UsageError(f"{name} is no time of the calendar: {text[:40]!r}.") from error


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


def error_response(request: Request, error: Exception) -> Response:
    """What the client is told of `error`: its HTTP status with a VOTable (DALI 4.4), or a page in a browser.

    An error that is not ours is logged under a reference, which is all the client learns of it.
    """
    known = _as_told(request, error)
    if known.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("refused", status=known.status, error=str(known))
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if known.retry_after_s is not None:
        headers["Retry-After"] = str(known.retry_after_s)
    form = accepted_form(request) or "votable"
    tell, forms = request.scope.get(_ERROR_TELLER, (None, ()))
    media_type, body = tell(known) if form in forms else error_as(form, known)
    return Response(body, known.status, headers, media_type=media_type)


def tell_errors_as(
    request: Request, tell: Callable[[VOError], tuple[str, bytes]], *, forms: Iterable[str] = ("votable",)
) -> None:
    """Errors of this request that would be told in one of `forms` are told as the service's standard asks."""
    request.scope[_ERROR_TELLER] = (tell, tuple(forms))


def accepted_form(request: Request) -> str | None:
    """html, json, text or votable: what the header Accept prefers; None: it leaves us the choice."""
    if prefers_page(request):
        return "html"
    named = (item.partition(";")[0].strip().lower() for item in request.headers.get("accept", "").split(","))
    return next((_ACCEPTED[name] for name in named if name in _ACCEPTED), None)


_ACCEPTED: Mapping[str, str] = {
    "application/json": "json",
    "text/plain": "text",
    VOTABLE_TYPE: "votable",
    "application/xml": "votable",
    "text/xml": "votable",
}


def error_as(form: str, error: VOError) -> tuple[str, bytes]:
    """Media type and body of an error as html, json, text or votable: with all its problems in each."""
    return ERROR_FORMS[form](error)


def _error_votable(error: VOError) -> tuple[str, bytes]:
    return VOTABLE_TYPE, error_document(str(error), [each.in_full() for each in error.problems])


def _error_json(error: VOError) -> tuple[str, bytes]:
    problems = [asdict(problem) for problem in error.problems]
    return json_body({"status": "ERROR", "code": error.code, "message": str(error), "problems": problems})


def _error_text(error: VOError) -> tuple[str, bytes]:
    return text_body([each.in_full() for each in error.problems] or [str(error)])


def _error_html(error: VOError) -> tuple[str, bytes]:
    return HTML_TYPE, _error_page(error).encode()


ERROR_FORMS: Mapping[str, Callable[[VOError], tuple[str, bytes]]] = {
    "html": _error_html,
    "json": _error_json,
    "text": _error_text,
    "votable": _error_votable,
}
"""Everything that an error can be told as."""


def json_body(content: Mapping[str, Any]) -> tuple[str, bytes]:
    """Media type and body of an answer in JSON."""
    return "application/json", json.dumps(content, ensure_ascii=False, indent=1).encode()


def text_body(lines: Iterable[str]) -> tuple[str, bytes]:
    """Media type and body of an answer in lines of text."""
    return "text/plain; charset=utf-8", "".join(f"{line}\n" for line in lines).encode()


def prefers_page(request: Request) -> bool:
    """Whether a person asks, with a browser: the request accepts HTML, and rather than XML.

    Java's own client names HTML first as well, among images, and wants it no more than anything else.
    """
    weights = _weights(request.headers.get("accept", ""))
    html = max(weights.get(name, 0.0) for name in _HTML)
    xml = max(weights.get(name, 0.0) for name in _XML)
    return html > xml and ("application/xhtml+xml" in weights or weights.keys() <= {"text/html", "*/*"})


def _weights(accept: str) -> dict[str, float]:
    """The media ranges of an Accept header with their weights (RFC 9110, 12.5.1)."""
    found = {}
    for item in accept.lower().split(","):
        name, _, rest = item.partition(";")
        weight = _WEIGHT.search(rest)
        found[name.strip()] = 1.0 if weight is None else float(weight[1])
    return found


def _as_told(request: Request, error: Exception) -> VOError:
    path = request.url.path
    if isinstance(error, VOError):
        return error
    if not isinstance(error, HTTPException):
        reference = uuid.uuid4().hex[:8]
        log.error("failed", method=request.method, path=path, reference=reference, exc_info=error)
        return VOError(f"The service failed; tell its operators the reference {reference}.")
    if error.status_code == HTTPStatus.NOT_FOUND:
        return NotFoundError(f"There is no resource {path}.")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return MethodError(f"{path} does not take {request.method}.")
    return ReportedError(error.detail, code="UsageFault", status=error.status_code)


def _error_page(error: VOError) -> str:
    title = f"{error.status} {HTTPStatus(error.status).phrase}" if error.status in _PHRASES else "Error"
    told = error.problems or (error,)
    body = "".join(f"<p>{_LINK.sub(_anchor, html.escape(str(each)))}</p>" for each in told)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>\n'
        f"<body><h1>{title}</h1>{body}</body></html>\n"
    )


def _anchor(match: re.Match[str]) -> str:
    return f'<a href="{match[0]}">{match[0]}</a>'


EXCEPTION_HANDLERS: Mapping[Any, Callable[[Request, Exception], Response]] = {
    VOError: error_response,
    HTTPException: error_response,
    Exception: error_response,
}
"""For the application: every error of every service is answered in one place."""
