"""The work of `vo anomaly watch`: rows are taken from the stream, scored, and told of if they are strange.

What a batch brings is written in one transaction of Redis: its anomalies, its counts, and the removal of its
entries. So each entry is scored once or, where a slow watcher was taken for dead, once more; none is lost.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from redis import Redis
from redis.exceptions import RedisError, ResponseError

from vo.errors import UsageError
from vo.forest.detector import Detector, score
from vo.log import logger
from vo.uws.run import worker_name
from vo.watch.checkpoint import Checkpoint
from vo.watch.rows import Broken, Entry, Piece, as_json, pieces
from vo.watch.streams import BROKEN_KEPT, FOUND_KEPT, WATCHES, Keys
from vo.watch.window import Window

_GROUP = "scorers"
_BLOCK_S = 1.0
_KEEPER_S = 30
_RETRY_S = 1.0

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """Which rows are told of, and how the model is renewed.

    Rows of score `threshold` or more are anomalies. After each `every` rows, `trees` trees grow anew from the
    last `window` rows. A watcher that is silent for `claim_s` seconds loses its entries to another;
    `batch` entries are taken at a time.
    """

    threshold: float = 0.6
    window: int = 20_000
    every: int = 5_000
    trees: int = 1
    claim_s: float = 30.0
    batch: int = 64

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise UsageError(f"The threshold must be between 0 and 1, but is {self.threshold:g}.")
        if min(self.window, self.every, self.batch) < 1 or self.trees < 0 or self.claim_s <= 0:
            raise UsageError("Window, rows between renewals, batch and time must be positive.")


class Watcher:
    """One of those who score the rows of a watch; any number may, on any machine.

    `client` gives bytes. The model is renewed by one of them, and the others read it from `checkpoint`.
    """

    def __init__(
        self, client: Redis, keys: Keys, detector: Detector, options: WatchOptions, directory: Path
    ) -> None:
        self._redis: Any = client
        self._keys = keys
        self._options = options
        self._name = worker_name()
        self._checkpoint = Checkpoint(directory / f"{keys.name}.arrow", detector)
        found, renewed = self._checkpoint.read() or (detector, 0)
        self._window = Window(
            found, size=options.window, every=options.every, trees=options.trees, renewed=renewed
        )
        self._claimed_at = 0.0

    def run(self, stop: threading.Event, alive: Path | None = None) -> None:
        """Score until told to stop; while Redis does not answer, try again.

        `alive` is touched at every turn, whatever Redis says: only what hangs is not alive.
        """
        begun = False
        while not stop.is_set():
            if alive is not None:
                alive.touch()
            try:
                if not begun:
                    self._begin()
                    begun = True
                self._take(self._entries())
            except RedisError as error:
                log.warning("the stream of rows does not answer", watch=self._keys.name, error=str(error))
                stop.wait(_RETRY_S)

    def _begin(self) -> None:
        try:
            self._redis.xgroup_create(self._keys.rows, _GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
        self._redis.sadd(WATCHES, self._keys.name)
        log.info("watching", watch=self._keys.name, threshold=self._options.threshold)

    def _entries(self) -> list[Entry]:
        """Entries of a watcher that died, or new ones."""
        if time.monotonic() - self._claimed_at > self._options.claim_s / 2:
            idle_ms = int(self._options.claim_s * 1000)
            claimed = self._redis.xautoclaim(
                self._keys.rows, _GROUP, self._name, idle_ms, count=self._options.batch
            )[1]
            if claimed:
                return [entry for entry in claimed if entry[1] is not None]
            self._claimed_at = time.monotonic()
        found = self._redis.xreadgroup(
            _GROUP, self._name, {self._keys.rows: ">"}, count=self._options.batch, block=int(_BLOCK_S * 1000)
        )
        return found[0][1] if found else []

    def _take(self, entries: Sequence[Entry]) -> None:
        keeps = self._keeps()
        if not keeps:
            renewed = self._checkpoint.newer()
            if renewed is not None:
                self._window.detector, self._window.renewed = renewed
        before = self._window.renewed
        with self._redis.pipeline(transaction=True) as outcome:
            rows = found = broken = 0
            for piece in pieces(entries, self._window.detector.names):
                if isinstance(piece, Broken):
                    broken += _refuse(outcome, self._keys, piece)
                    continue
                scores = score(self._window.detector, piece.columns)
                rows += len(scores)
                found += self._tell(outcome, piece, scores)
                broken += _refuse_unscored(outcome, self._keys, piece, scores)
                if keeps:
                    self._window.see(piece.columns)
            counts = {"rows": rows, "found": found, "broken": broken, "trees": self._window.renewed - before}
            for what, count in counts.items():
                outcome.hincrby(self._keys.numbers, what, count if keeps or what != "trees" else 0)
            outcome.hset(self._keys.numbers, "seen", repr(time.time()))
            if entries:
                numbers = [number for number, _ in entries]
                outcome.xack(self._keys.rows, _GROUP, *numbers)
                outcome.xdel(self._keys.rows, *numbers)
            outcome.execute()
        if keeps and self._window.renewed > before:
            self._checkpoint.write(self._window.detector, self._window.renewed)

    def _tell(self, outcome: Any, piece: Piece, scores: np.ndarray[Any, Any]) -> int:  # noqa: ANN401  a pipeline
        strange = np.flatnonzero(scores >= self._options.threshold)
        for place in strange.tolist():
            fields = {
                "score": repr(float(scores[place])),
                "row": as_json(piece.row(place)),
                "entry": piece.entry(place),
            }
            outcome.xadd(self._keys.found, fields, maxlen=FOUND_KEPT, approximate=True)
        return len(strange)

    def _keeps(self) -> bool:
        """Whether this watcher renews the model: the first that is alive does."""
        if self._redis.set(self._keys.keeper, self._name, nx=True, ex=_KEEPER_S):
            return True
        if self._redis.get(self._keys.keeper) != self._name.encode():
            return False
        self._redis.expire(self._keys.keeper, _KEEPER_S)
        return True


def _refuse(outcome: Any, keys: Keys, broken: Broken) -> int:  # noqa: ANN401  a pipeline
    fields = {"entry": broken.entry, "reason": broken.reason}
    outcome.xadd(keys.broken, fields, maxlen=BROKEN_KEPT, approximate=True)
    return 1


def _refuse_unscored(outcome: Any, keys: Keys, piece: Piece, scores: np.ndarray[Any, Any]) -> int:  # noqa: ANN401
    """Rows without a value that they must have are kept for who looks into it."""
    places = np.flatnonzero(np.isnan(scores)).tolist()
    for place in places[:BROKEN_KEPT]:
        reason = f"A value is missing: {as_json(piece.row(place))}"
        _refuse(outcome, keys, Broken(piece.entry(place), reason))
    return len(places)
