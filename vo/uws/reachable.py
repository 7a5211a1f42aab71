"""What it means that a Redis does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError

from vo.errors import TransientError


@contextmanager
def reachable(server: str = "job store") -> Iterator[None]:
    """Tell a failure of the Redis that serves as `server` as a TransientError."""
    try:
        yield
    except RedisError as error:
        raise TransientError(f"The {server} does not answer.", hint="Try again in a moment.") from error
