"""The keys of a watch in Redis, and what they say of it.

Of the watch `name`:

    vo:watch:<name>:rows      stream of new rows; an entry is removed once it is scored
    vo:watch:<name>:found     stream of anomalies, the last FOUND_KEPT of them
    vo:watch:<name>:broken    stream of what could not be scored, with the reason, the last BROKEN_KEPT
    vo:watch:<name>:numbers   hash of counts: rows, found, broken, trees; seen: the last sign of life
    vo:watch:<name>:keeper    who renews the model, while it lives
    vo:watches                set of all names
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from vo.errors import NotFoundError, TransientError, UsageError

FOUND_KEPT, BROKEN_KEPT = 100_000, 10_000
"""Entries that the streams keep; the oldest go."""

WATCHES = "vo:watches"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one watch."""

    name: str

    def __post_init__(self) -> None:
        if not _NAME.match(self.name):
            raise UsageError(
                f"A watch cannot be called {self.name[:80]!r}.",
                hint="A name has up to 64 letters, digits, '_', '.' and '-'.",
            )

    @property
    def rows(self) -> str:
        """The stream of new rows."""
        return f"vo:watch:{self.name}:rows"

    @property
    def found(self) -> str:
        """The stream of anomalies."""
        return f"vo:watch:{self.name}:found"

    @property
    def broken(self) -> str:
        """The stream of what could not be scored."""
        return f"vo:watch:{self.name}:broken"

    @property
    def numbers(self) -> str:
        """The hash of counts."""
        return f"vo:watch:{self.name}:numbers"

    @property
    def keeper(self) -> str:
        """Who renews the model."""
        return f"vo:watch:{self.name}:keeper"


@dataclass(frozen=True, slots=True)
class WatchNumbers:
    """A watch at one moment: rows scored, anomalies, broken rows and trees renewed since it began.

    `waiting` are entries that are not scored yet, `lag_s` is the age of the oldest of them; `seen_s` is the
    time since the last sign of life of anybody who scores, None: there never was one.
    """

    name: str
    rows: int
    found: int
    broken: int
    trees: int
    waiting: int
    lag_s: float
    seen_s: float | None


def watches(client: Redis) -> tuple[WatchNumbers, ...]:
    """Every watch by name; `client` decodes its responses. TransientError: Redis does not answer."""
    try:
        return tuple(_numbers(client))
    except RedisError as error:
        raise TransientError("The streams of rows do not answer.", hint="Try again in a moment.") from error


def watch_numbers(client: Redis, name: str) -> WatchNumbers:
    """One watch; NotFoundError: there is none of that name."""
    for found in watches(client):
        if found.name == name:
            return found
    raise NotFoundError(f"There is no watch {name[:80]!r}.")


def newest(client: Redis, keys: Keys) -> str:
    """The id of the last anomaly that was found; 0: none was."""
    redis: Any = client  # its annotations cannot say that responses are decoded
    found = redis.xrevrange(keys.found, count=1)
    return str(found[0][0]) if found else "0"


def _numbers(client: Redis) -> Iterator[WatchNumbers]:
    redis: Any = client  # its annotations cannot say that responses are decoded
    names = sorted(redis.smembers(WATCHES))
    with redis.pipeline(transaction=False) as asked:
        asked.time()
        for keys in map(Keys, names):
            asked.hgetall(keys.numbers)
            asked.xlen(keys.rows)
            asked.xrange(keys.rows, count=1)
        (seconds, micros), *answers = asked.execute()
    now = seconds + micros / 1e6
    for name, counts, waiting, oldest in zip(names, answers[::3], answers[1::3], answers[2::3], strict=True):
        yield WatchNumbers(
            name,
            **{what: int(counts.get(what, 0)) for what in ("rows", "found", "broken", "trees")},
            waiting=waiting,
            lag_s=max(0.0, now - int(oldest[0][0].partition("-")[0]) / 1000) if oldest else 0.0,
            seen_s=max(0.0, now - float(counts["seen"])) if "seen" in counts else None,
        )
