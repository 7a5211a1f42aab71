"""A finished file over HTTP: whole, in parts, or not at all when the client has it (RFC 9110, 13 and 14)."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send

from vo.uws.conditional import is_known, not_modified


class Download(FileResponse):
    """A file that never changes under its name, with its length, its time and a tag of both."""

    chunk_size = 1 << 20  # one thread hop a block

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what the conditions and the range of the request ask for."""
        asked = Headers(scope=scope)
        if is_known(asked, self.headers):
            await not_modified(self.headers)(scope, receive, send)
            return
        # A range of anything but bytes is ignored, and so is one that comes without GET (RFC 9110, 14.2).
        if scope["method"] != "GET" or not asked.get("range", "").lower().startswith("bytes="):
            headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
            scope = {**scope, "headers": headers}
        await super().__call__(scope, receive, send)
