"""How far a load is, and the line in which a terminal shows it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

_BAR_WIDTH = 24
_REDRAW_S = 0.2
_LINE_S = 10.0


@dataclass(frozen=True, slots=True)
class Progress:
    """A moment of a load: `stage` is `read`, `sort`, `store` or `check`, `table` is as in ADQL.

    `total` and `eta_s` are None in other stages than `read`, and where files do not say how many rows
    they have. `unit` is what is counted.
    """

    stage: str
    table: str
    rows: int
    total: int | None = None
    rows_per_s: float = 0.0
    eta_s: float | None = None
    unit: str = "rows"


Report = Callable[[Progress], None]


class ProgressLine:
    """Writes progress to a stream: one line redrawn on a terminal, a line now and then elsewhere.

    The bar is drawn when it is called as a Report; `end` leaves the cursor on a fresh line.
    """

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._is_terminal = stream.isatty()
        self._last: tuple[str, str] | None = None
        self._drawn_at = 0.0
        self._width = 0

    def __call__(self, progress: Progress) -> None:
        """Show `progress`, unless something was shown a moment ago and neither table nor stage changed."""
        now = self._clock()
        pause = _REDRAW_S if self._is_terminal else _LINE_S
        stage = (progress.table, progress.stage)
        finished = progress.total is not None and progress.rows == progress.total
        if stage == self._last and now - self._drawn_at < pause and not finished:
            return
        if self._is_terminal and self._last is not None and self._last[0] != progress.table:
            self.end()
        self._last, self._drawn_at = stage, now
        self._draw(text_of(progress))

    def end(self) -> None:
        """Leave the line."""
        if self._width:
            self._stream.write("\n")
            self._stream.flush()
        self._width = 0

    def _draw(self, text: str) -> None:
        if self._is_terminal:
            self._stream.write("\r" + text.ljust(self._width))
            self._width = len(text)
        else:
            self._stream.write(text + "\n")
        self._stream.flush()


def text_of(progress: Progress) -> str:
    """One line about `progress`.

    >>> text_of(Progress("read", "sim1.main", 50_000, 200_000, 25_000.0, 6.0))
    'sim1.main  read  [######------------------]  25 %  50,000 of 200,000 rows  25,000 rows/s  6 s left'
    >>> text_of(Progress("read", "sim1.main", 50_000, None, 25_000.0, None))
    'sim1.main  read  50,000 rows  25,000 rows/s'
    >>> text_of(Progress("sort", "sim1.main", 200_000))
    'sim1.main  sort  200,000 rows'
    """
    parts = [progress.table, progress.stage]
    if progress.total is None:
        parts.append(f"{progress.rows:,} {progress.unit}")
    else:
        part = progress.rows / progress.total if progress.total else 1.0
        filled = int(part * _BAR_WIDTH)
        parts.append(f"[{'#' * filled}{'-' * (_BAR_WIDTH - filled)}]  {part:.0%}".replace("%", " %"))
        parts.append(f"{progress.rows:,} of {progress.total:,} {progress.unit}")
    if progress.rows_per_s:
        parts.append(f"{progress.rows_per_s:,.0f} {progress.unit}/s")
    if progress.eta_s is not None:
        parts.append(f"{progress.eta_s:.0f} s left")
    return "  ".join(parts)
