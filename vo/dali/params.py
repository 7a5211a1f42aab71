"""Parameters by their names (DALI 1.1, 4), and the timestamps among them (3.1.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO

from vo.errors import UsageError

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
