"""A finished file over HTTP: whole, in parts, or not at all when the client has it (RFC 9110, 13 and 14)."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

_KEPT_BY_304 = ("etag", "last-modified", "cache-control", "vary")


class Download(FileResponse):
    """A file that never changes under its name, with its length, its time and a tag of both."""

    chunk_size = 1 << 20  # one thread hop a block

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what the conditions and the range of the request ask for."""
        asked = Headers(scope=scope)
        if self._is_known(asked):
            kept = {name: self.headers[name] for name in _KEPT_BY_304 if name in self.headers}
            await Response(status_code=304, headers=kept)(scope, receive, send)
            return
        # A range of anything but bytes is ignored, and so is one that comes without GET (RFC 9110, 14.2).
        if scope["method"] != "GET" or not asked.get("range", "").lower().startswith("bytes="):
            headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
            scope = {**scope, "headers": headers}
        await super().__call__(scope, receive, send)

    def _is_known(self, asked: Headers) -> bool:
        """Whether the client has this very file: a tag decides alone, a date only without one (13.2.2)."""
        tags = asked.get("if-none-match")
        if tags is not None:
            known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
            return bool(known & {"*", self.headers["etag"]})
        try:
            since = parsedate_to_datetime(asked.get("if-modified-since", ""))
            return parsedate_to_datetime(self.headers["last-modified"]) <= since
        except (TypeError, ValueError):  # no date: the header is ignored (13.1.3)
            return False
