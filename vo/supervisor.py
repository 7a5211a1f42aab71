"""Processes that a supervisor keeps at work: forked from it, named, tied to it, ended in order.

They are forked and not started anew, because a fork has all modules loaded and all loops compiled, and
shares that memory. So the supervisor has no thread of Python, and opens no database.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkProcess

from vo.lifeline import end_with_parent, name_process
from vo.log import logger

GRACE_S = 3.0
"""Seconds that a child has to end by itself before it is killed; a worker has more, to drain."""

STEADY_S = 10.0
"""A child that lived this long is restarted at once; others wait longer each time."""

LONGEST_DELAY_S = 30.0
"""Seconds between two starts of a child that does not live, at the most."""

SIGNALS = (signal.SIGTERM, signal.SIGINT)
"""What tells a supervisor, and each of its children, to stop."""

_MOST_FILES = 256
"""More than a supervisor has open."""

_FORK = multiprocessing.get_context("fork")

log = logger(__name__)


@dataclass
class Child:
    """One supervised process, which calls `run`; `rank` orders the shutdown, lowest first."""

    name: str
    run: Callable[[], object]
    rank: int
    grace_s: float = GRACE_S
    tie: Callable[[], None] = end_with_parent
    process: ForkProcess | None = None
    started: float = 0.0
    delay_s: float = 0.0

    def start(self) -> None:
        """Start it, whether or not it has run before."""
        self.started = time.monotonic()
        self.process = _FORK.Process(target=self._begin, name=self.name)
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until the child listens to them itself
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _begin(self) -> None:
        # Its own session, so that the whole group of a Celery pool can be ended, and a tie to the
        # supervisor, so that nothing is left should that be killed.
        os.setsid()
        self.tie()
        name_process(self.name)
        os.closerange(3, _MOST_FILES)  # a lock of the supervisor ends with the supervisor
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        self.run()

    def signal_group(self, number: int) -> None:
        """Send a signal to the child and to all of its own."""
        if self.process is not None and self.process.pid is not None:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                log.debug("a child has ended already", child=self.name)

    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self.process is not None and self.process.is_alive()


def apart(work: Callable[[], object]) -> None:
    """Have something done in a process of its own, so that what it opens does not outlive a fork."""
    process = _FORK.Process(target=work)
    process.start()
    process.join()


def restart_dead(children: Iterable[Child]) -> None:
    """Start again what has ended, later each time where it does not live long."""
    now = time.monotonic()
    for child in children:
        if child.is_running() or now - child.started < child.delay_s:
            continue
        if child.delay_s == 0 or now - child.started > STEADY_S:
            child.delay_s = 0.5
        else:
            child.delay_s = min(LONGEST_DELAY_S, child.delay_s * 2)
        code = child.process.exitcode if child.process else None
        log.error("a child ended and is started again", child=child.name, code=code)
        child.signal_group(signal.SIGKILL)  # what is left of a pool whose parent died
        child.start()


def stop_in_order(children: Sequence[Child]) -> None:
    """End all children, rank by rank; each has its grace."""
    for rank in sorted({child.rank for child in children}):
        group = [child for child in children if child.rank == rank]
        for child in group:
            if child.is_running() and child.process is not None:
                child.process.terminate()
        deadline = time.monotonic() + max(child.grace_s for child in group)
        while any(child.is_running() for child in group) and time.monotonic() < deadline:
            time.sleep(0.02)
        for child in group:
            child.signal_group(signal.SIGKILL)
            if child.process is not None:
                child.process.join()
