"""Timestamps as DALI writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_FORM = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)Z?)?\Z")


def timestamp(text: str) -> str | None:
    """A DALI timestamp (DALI 1.1, 3.3.3) as SQL has it, in UTC; None if `text` is none.

    >>> timestamp("2026-01-02T03:04:05.5Z"), timestamp("2026-01-02"), timestamp("2026-02-30")
    ('2026-01-02 03:04:05.5', '2026-01-02 00:00:00', None)
    """
    match = _FORM.match(text.strip())
    if match is None:
        return None
    day, clock = match.group(1), match.group(2) or "00:00:00"
    if clock.count(":") == 1:
        clock += ":00"
    try:
        datetime.strptime(f"{day} {clock.partition('.')[0]}", "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return f"{day} {clock}"
