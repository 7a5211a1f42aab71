"""The relay: result bytes of a sync query on their way from the worker to the web process.

One bounded Redis list a job on a server without persistence. The worker starts with a few credits, pays one
a block and waits when it has none left; the reader pays a credit back for each block it took. So neither
side, nor Redis, ever holds more than `CREDITS` blocks of a result, however slow the client is.

A frame is one tag byte and its payload: the head (media type), data, or the end (with an error, or without).
Where web and worker share a directory in memory, a job has a file there with a slot a credit: a block goes
into the next slot, which the credit says is free, and its frame carries the length. That spares four copies
through sockets, which is half of all the work of a large result.
"""

from __future__ import annotations

import asyncio
import json
import mmap
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from redis import Redis
from redis import asyncio as aioredis
from redis.exceptions import OutOfMemoryError, RedisError

from vo.errors import CancelledError, ReportedError, TransientError
from vo.uws.job import JobError, is_job_id
from vo.uws.reachable import reachable

CREDITS = 8
"""Blocks under way at the most."""

BLOCK_BYTES = 2_097_152
"""Bytes of a block at the most."""

SLOT_FROM_BYTES = 262_144
"""Bytes from which a block goes into a slot; a small result is not worth the memory."""

KEEP_S = 120
"""Seconds after which Redis itself forgets what nobody reads or writes any more."""

_HEAD, _DATA, _SLOT, _END = b"H", b"D", b"S", b"E"


_SAME_DIRECTORY = "Set VO_RELAY_DIR to one directory in memory for all, or for none."


@dataclass(frozen=True, slots=True)
class Head:
    """What is known before the first byte: media type, file name, and whether errors are told inside.

    `headers` are further fields of the answer's header; `size` is that of the result, where it is known.
    """

    media_type: str
    name: str
    tells_errors: bool
    headers: Mapping[str, str] = field(default_factory=dict)
    size: int | None = None


def _keys(job_id: str) -> tuple[str, str, str]:
    return f"relay:{job_id}", f"relay:{job_id}:credit", f"relay:{job_id}:reader"


class _Slots:
    """A file in memory with room for `CREDITS` blocks, written and read round and round.

    The reader removes its name as soon as it has opened it, or else whoever is the last to know of it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._memory: mmap.mmap | None = None
        self._count = 0

    def put(self, block: bytes) -> None:
        """Lay a block into the next slot; OSError where there is no memory for it."""
        if self._memory is None:
            with self._path.open("xb+") as file:
                os.posix_fallocate(file.fileno(), 0, CREDITS * BLOCK_BYTES)
                self._memory = mmap.mmap(file.fileno(), CREDITS * BLOCK_BYTES)
        start = self._next()
        self._memory[start : start + len(block)] = block

    def take(self, size: int) -> bytes:
        """The block in the next slot."""
        if self._memory is None:
            with self._path.open("rb") as file:
                self._memory = mmap.mmap(file.fileno(), CREDITS * BLOCK_BYTES, prot=mmap.PROT_READ)
            self._path.unlink(missing_ok=True)
        start = self._next()
        return self._memory[start : start + size]

    def close(self, *, forget: bool) -> None:
        """Give the memory back, which the other side can still read unless it is to `forget` the file."""
        if self._memory is not None:
            self._memory.close()
        if forget:
            self._path.unlink(missing_ok=True)

    def _next(self) -> int:
        self._count += 1
        return (self._count - 1) % CREDITS * BLOCK_BYTES


class RelayWriter:
    """The worker's end. `check` is called while it waits and raises when the job is to stop."""

    def __init__(
        self, redis: Redis, job_id: str, check: Callable[[], None], *, directory: Path | None = None
    ) -> None:
        self._redis = redis
        self._frames, self._credit, self._reader = _keys(job_id)
        self._check = check
        self._slots = None if directory is None else _Slots(directory / job_id)
        self._credits = CREDITS
        self.bytes = 0

    def open(self, head: Head) -> None:
        """Say what is coming."""
        self._push(_HEAD, json.dumps(asdict(head)).encode())

    def write(self, data: bytes) -> None:
        """Pass `data` on, waiting as long as the reader is behind."""
        for start in range(0, len(data), BLOCK_BYTES):
            block = data if len(data) <= BLOCK_BYTES else data[start : start + BLOCK_BYTES]
            self._pay()
            self._push(*self._placed(block))
            self.bytes += len(block)

    def has_reader(self) -> bool:
        """Whether somebody has said lately that he reads; a relay that is out of reach leaves it open."""
        try:
            return bool(self._redis.exists(self._reader))
        except RedisError:
            return True

    def close(self, error: JobError | None = None) -> None:
        """Say that this was all, or what went wrong."""
        self._push(_END, json.dumps(None if error is None else asdict(error)).encode())
        if self._slots is not None:
            self._slots.close(forget=not self._redis.exists(self._reader))

    def _placed(self, block: bytes) -> tuple[bytes, bytes]:
        """The frame of a block: its length where there is a slot for it, else the block itself."""
        if self._slots is None or len(block) < SLOT_FROM_BYTES:
            return _DATA, block
        try:
            self._slots.put(block)
        except OSError:  # the memory is full, or the directory gone
            self._slots.close(forget=True)
            self._slots = None
            return _DATA, block
        return _SLOT, str(len(block)).encode()

    def _pay(self) -> None:
        while self._credits == 0:
            self._check()
            if self._redis.blpop([self._credit], timeout=1) is not None:
                self._credits += 1 + len(self._redis.lpop(self._credit, CREDITS) or ())
            elif not self._redis.exists(self._reader):
                raise CancelledError("The client left.")
        self._credits -= 1

    def _push(self, tag: bytes, payload: bytes) -> None:
        frame = tag + payload
        while True:
            try:
                with self._redis.pipeline(transaction=False) as pipeline:
                    pipeline.rpush(self._frames, frame)
                    pipeline.expire(self._frames, KEEP_S)
                    pipeline.execute()
            except OutOfMemoryError:  # other results fill the server: wait for their readers
                self._check()
                time.sleep(0.2)
            else:
                return


class RelayReader:
    """The web's end, for one job. `is_over` tells whether the job has ended, asked when nothing comes.

    A reader that has not been heard of for `silent_s` seconds is taken for gone.
    """

    def __init__(
        self,
        redis: aioredis.Redis,
        job_id: str,
        is_over: Callable[[], Awaitable[bool]],
        *,
        directory: Path | None = None,
        silent_s: float = 30,
    ) -> None:
        self._redis = redis
        self._silent_s = silent_s
        self._slots = None if directory is None else _Slots(directory / job_id)
        self._frames, self._credit, self._reader = _keys(job_id)
        self._is_over = is_over
        self._heartbeat: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        """Say that somebody reads, and keep saying so, however slow the client.

        TransientError: the relay does not answer.
        """
        with reachable("relay"):
            await self._announce()
        self._heartbeat = asyncio.create_task(self._keep_announcing())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Forget the relay; a worker that still writes sees that nobody reads."""
        self._heartbeat.cancel()
        if self._slots is not None:
            self._slots.close(forget=True)
        await asyncio.shield(self._redis.delete(self._frames, self._credit, self._reader))

    async def _announce(self) -> None:
        await self._redis.set(self._reader, 1, px=int(1000 * self._silent_s))

    async def _keep_announcing(self) -> None:
        while True:
            await asyncio.sleep(self._silent_s / 4)
            with suppress(RedisError):
                await self._announce()

    async def head(self) -> Head | None:
        """The head of the result; None: the job ended well without one; ReportedError: it failed before."""
        tag, payload = await self._next()
        if tag == _HEAD:
            return Head(**json.loads(payload))
        if json.loads(payload) is None:
            return None
        raise _reported(payload)

    async def blocks(self) -> AsyncIterator[bytes]:
        """The bytes in order; ReportedError when the job failed after the head."""
        while True:
            tag, payload = await self._next()
            if tag == _END:
                if json.loads(payload) is not None:
                    raise _reported(payload)
                return
            yield payload if tag == _DATA else self._taken(int(payload))
            await self._pay_back()

    def _taken(self, size: int) -> bytes:
        """The next block out of its slot."""
        if self._slots is None:
            raise TransientError("The worker shares no memory with this process.", hint=_SAME_DIRECTORY)
        return self._slots.take(size)

    async def _pay_back(self) -> None:
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.rpush(self._credit, 1)
            pipeline.expire(self._credit, KEEP_S)
            await pipeline.execute()

    async def _next(self) -> tuple[bytes, bytes]:
        while True:
            item: Any = await self._redis.blpop([self._frames], timeout=2)
            if item is not None:
                frame: bytes = item[1]
                return frame[:1], frame[1:]
            if await self._is_over() and not await self._redis.exists(self._frames):
                raise TransientError("The worker of this query is gone.", hint="Send the query again.")


def slot_files(directory: Path, age_s: float) -> Iterator[Path]:
    """The files of slots that nobody wrote to for `age_s` seconds; each has the name of its job."""
    oldest = time.time() - age_s
    for path in directory.iterdir():
        if is_job_id(path.name) and path.is_file() and path.stat().st_mtime < oldest:
            yield path


def end_forgotten_keys(redis: Redis) -> int:
    """Give a time to live to keys of relays whose writer died before it could; how many those were."""
    keys = list(redis.scan_iter("relay:*", count=1000))
    return sum(redis.ttl(key) == -1 and bool(redis.expire(key, KEEP_S)) for key in keys)


def _reported(payload: bytes) -> ReportedError:
    return JobError.from_json(json.loads(payload)).as_error()
