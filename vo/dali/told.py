"""Errors as clients are told them (DALI 1.1, 4.4): as VOTable, JSON, text, or a page in a browser."""

from __future__ import annotations

import html
import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from vo.errors import MethodError, NotFoundError, ReportedError, VOError
from vo.log import logger
from vo.votable.document import error_document

log = logger(__name__)

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
