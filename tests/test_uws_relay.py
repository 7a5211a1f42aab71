"""The reader's side of the relay, where the server is not there."""

from __future__ import annotations

import asyncio

import pytest
from redis import asyncio as aioredis

from vo.errors import TransientError
from vo.uws.job import new_job_id
from vo.uws.relay import RelayReader


def test_a_relay_that_is_away_is_told_as_such() -> None:
    """A client is asked to try again, with 503, and is not told of a fault of the service."""

    async def never() -> bool:
        return False

    async def read() -> None:
        async with (
            aioredis.Redis.from_url("unix:///nowhere/relay.sock") as relay,
            RelayReader(relay, new_job_id(), never),
        ):
            pass

    with pytest.raises(TransientError, match="relay") as caught:
        asyncio.run(read())
    assert caught.value.status == 503
