"""The lanes on which jobs run: each a queue with worker processes, limits and an order of its own.

A kind of job names its lane; a lane that no kind names is neither started nor offered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from vo.config import Config
from vo.uws.job import SYNC_LANE


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane; a limit of 0 is none.

    `workers` processes a `vo worker`; `longest_s` seconds a job; `memory_mb` a process, of which the database
    is given some `thirds`; `queued` jobs in all, and of one account; `account_running` jobs of one account.
    """

    name: str
    workers: int = 1
    longest_s: int = 0
    memory_mb: int = 0
    queued: int = 0
    account_queued: int = 0
    account_running: int = 0
    thirds: int = 2

    @property
    def database_mb(self) -> int:
        """What DuckDB is given; the rest is for Arrow, the writers of results, and the program."""
        return self.memory_mb * self.thirds // 3


def lanes(config: Config) -> Mapping[str, Lane]:
    """Every lane by its name, with the limits of `config`."""
    longest_s, queued = config.duration_limit_s, config.queue_limit
    every = (
        Lane(
            SYNC_LANE,
            workers=config.sync_workers,
            longest_s=config.sync_timeout_s,
            memory_mb=config.sync_memory_mb,
            queued=config.sync_queue_limit,
        ),
        Lane("query", config.query_workers, longest_s, config.query_memory_mb, queued),
        Lane("cutout", config.cutout_workers, longest_s, config.cutout_memory_mb, queued),
        # Another third is for the DuckDB that ranks, while the one that has read the rows is still there.
        Lane("anomaly", config.anomaly_workers, longest_s, config.anomaly_memory_mb, queued, thirds=1),
    )
    return {
        lane.name: replace(lane, account_queued=config.owner_queued, account_running=config.owner_running)
        for lane in every
    }
