"""What a worker shares with its processes: that all shall stop, signs of life, when one was last called."""

from __future__ import annotations

import mmap
import os
import signal
import time

_DOUBLE = 8
_HEAD, _SEAT = 2, 2


class Pool:
    """Memory shared with processes forked later, and a `Seat` in it for each of them."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._memory = memoryview(mmap.mmap(-1, _DOUBLE * (_HEAD + _SEAT * size))).cast("d")
        self.hear()

    @property
    def is_draining(self) -> bool:
        """Whether every job shall end now or be handed back."""
        return self._memory[0] > 0

    def drain(self) -> None:
        """Have every process finish or hand back what it runs."""
        self._memory[0] = 1

    def seat(self, index: int) -> Seat:
        """The seat of the process with this number."""
        return Seat(self, self._memory[_HEAD + _SEAT * index : _HEAD + _SEAT * (index + 1)])

    def hear(self) -> None:
        """Note that a call came."""
        self._memory[1] = time.monotonic()

    def is_deaf(self, limit_s: float) -> bool:
        """Whether a process is free and no call has come to any for `limit_s` seconds."""
        is_free = any(pid == 0 for pid in self._memory[_HEAD::_SEAT])
        return is_free and not self.is_draining and time.monotonic() - self._memory[1] > limit_s

    def silent(self, limit_s: float) -> list[int]:
        """The processes that run a job and were not seen for `limit_s` seconds."""
        oldest = time.monotonic() - limit_s
        pairs = zip(self._memory[_HEAD::_SEAT], self._memory[_HEAD + 1 :: _SEAT], strict=True)
        return [int(pid) for pid, seen in pairs if pid and seen < oldest]


class Seat:
    """The part of the shared memory that belongs to one process."""

    def __init__(self, pool: Pool, memory: memoryview[float]) -> None:
        self._pool = pool
        self._memory = memory

    @property
    def is_draining(self) -> bool:
        """Whether the process shall finish or hand back what it runs."""
        return self._pool.is_draining

    def beat(self) -> None:
        """Be seen, with a job."""
        # The time first: a process number beside an old time would look like one that hangs.
        self._memory[1] = time.monotonic()
        self._memory[0] = os.getpid()

    def rest(self) -> None:
        """Have no job, and so nothing to be watched for."""
        self._memory[0] = 0

    def leave(self) -> None:
        """End the process at once, whatever its threads do; the pool puts another in its place."""
        os.kill(os.getpid(), signal.SIGKILL)
