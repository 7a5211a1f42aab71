"""What a request has already, and which part it wants, of what has a tag, a time and a length (RFC 9110)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from starlette.datastructures import Headers
from starlette.responses import Response

_KEPT_BY_304 = ("etag", "last-modified", "cache-control", "vary")
_ONE_RANGE = re.compile(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*\Z", re.IGNORECASE)


def asks_whether_known(asked: Headers) -> bool:
    """Whether the request has conditions under which it wants nothing."""
    return "if-none-match" in asked or "if-modified-since" in asked


def is_known(asked: Headers, told: Mapping[str, str]) -> bool:
    """Whether the client has what is told of: a tag decides alone, a date only without one (13.2.2)."""
    tags = asked.get("if-none-match")
    if tags is not None:
        known = {_strong(tag) for tag in tags.split(",")}
        return bool(known & {"*", _strong(told["etag"])})
    try:
        since = parsedate_to_datetime(asked.get("if-modified-since", ""))
        return parsedate_to_datetime(told["last-modified"]) <= since
    except (TypeError, ValueError):  # no date: the header is ignored (13.1.3)
        return False


def not_modified(told: Mapping[str, str]) -> Response:
    """The answer to a client that has it: 304, with what it would have been told (15.4.5)."""
    return Response(status_code=304, headers={name: told[name] for name in _KEPT_BY_304 if name in told})


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes from `start` up to `stop`, exclusive, of `size`; it may be empty, as there are no such bytes."""

    start: int
    stop: int
    size: int

    @property
    def status(self) -> int:
        """206, or 416 where nothing of the range is there."""
        return 206 if self.start < self.stop else 416

    @property
    def length(self) -> int:
        """Bytes in it."""
        return max(self.stop - self.start, 0)

    def of(self, block: bytes, place: int) -> bytes:
        """What a block at that place has of it."""
        return block[max(self.start - place, 0) : max(self.stop - place, 0)]

    @property
    def content_range(self) -> str:
        """The header Content-Range (14.4)."""
        shown = f"{self.start}-{self.stop - 1}" if self.start < self.stop else "*"
        return f"bytes {shown}/{self.size}"


def part_of(asked: Headers, told: Mapping[str, str], size: int) -> Part | None:
    """The part that a GET asks for; None: the whole, also for several ranges, as a server may (14.2).

    A range of something that has changed since (If-Range, 13.1.5) is ignored.
    """
    found = _ONE_RANGE.match(asked.get("range", "").strip())
    if found is None or not any(found.groups()) or not _is_same(asked.get("if-range"), told):
        return None
    first, last = found.groups()
    if not first:
        return Part(max(size - int(last), 0), size, size)
    if last and int(last) < int(first):
        return None  # not valid, and so ignored (14.1.1)
    return Part(int(first), min(int(last) + 1 if last else size, size), size)


def _is_same(condition: str | None, told: Mapping[str, str]) -> bool:
    return condition is None or condition.strip() in (told.get("etag"), told.get("last-modified"))


def _strong(tag: str) -> str:
    return tag.strip().removeprefix("W/")
