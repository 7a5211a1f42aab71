"""What a process of the service works with: its settings and its open connections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from redis import Redis
from redis import asyncio as aioredis
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import BusyLoadingError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry
from starlette.requests import Request

from vo.config import Config
from vo.db.base import Database
from vo.db.duckdb import Describe, DuckDBDatabase
from vo.db.oracle import OracleDatabase
from vo.db.oracle_access import OracleAccess
from vo.errors import ConfigError, TransientError
from vo.images.collection import ImageCollection
from vo.images.image import OpenImages
from vo.lifeline import own_directory
from vo.uws.job import SYNC_LANE
from vo.uws.lanes import lanes
from vo.uws.pace import Pace, RedisPace
from vo.uws.queue import JobQueue, celery_app
from vo.uws.redis_store import RedisJobStore
from vo.uws.results import ResultStore
from vo.uws.shards import ShardTable
from vo.uws.store import JobStore
from vo.uws.tally import RedisTally
from vo.uws.watch import JobWatch, RedisJobWatch

_RETRY_ON: list[type[Exception]] = [BusyLoadingError, RedisConnectionError]


@dataclass(frozen=True)
class Context:
    """Everything that endpoints and jobs reach; made once a process by `open_context`."""

    config: Config
    database: Database
    store: JobStore
    queue: JobQueue
    pace: Pace
    results: ResultStore
    shards: ShardTable
    tally: RedisTally
    watch: JobWatch
    relay: Redis
    relay_async: aioredis.Redis
    open_images: OpenImages

    @property
    def images(self) -> ImageCollection:
        """The images of all releases."""
        return ImageCollection(self.database, self.config.images_root)

    def base_url(self, request: Request) -> str:
        """The absolute URL of the service's root, without a slash at the end."""
        return (self.config.base_url or str(request.base_url)).rstrip("/")

    def problem(self) -> str | None:
        """What keeps the service from working, in a sentence; None: nothing."""
        try:
            self.queue.depth(SYNC_LANE)
            self.relay.ping()
        except (TransientError, RedisError) as error:
            return f"The job store or the relay does not answer: {error}"
        return None


@contextmanager
def open_context(config: Config, describe: Describe) -> Iterator[Context]:
    """Open everything that `config` names, and close it at the end."""
    if not (config.state_url and config.relay_url):
        raise ConfigError(
            "VO_STATE_URL and VO_RELAY_URL must name two Redis servers.",
            hint="`vo serve` starts both by itself.",
        )
    with ExitStack() as stack:
        database = stack.enter_context(open_database(config, describe))
        state = stack.enter_context(_redis(config.state_url, decode_responses=True))
        relay = stack.enter_context(_redis(config.relay_url, decode_responses=False))
        queue = stack.enter_context(closing(JobQueue(celery_app(config.state_url), state)))
        store = RedisJobStore(state, lease_s=config.lease_s, lanes=lanes(config))
        yield Context(
            config=config,
            database=database,
            store=store,
            queue=queue,
            pace=RedisPace(state),
            tally=RedisTally(state),
            results=ResultStore(config.results_dir),
            shards=ShardTable(state, lease_s=config.lease_s),
            watch=RedisJobWatch(config.state_url, store),
            relay=relay,
            relay_async=aioredis.Redis.from_url(config.relay_url),
            open_images=stack.enter_context(closing(OpenImages())),
        )


@contextmanager
def open_database(config: Config, describe: Describe) -> Iterator[Database]:
    """The database that holds the releases: Oracle where its address is set, which keeps TAP_SCHEMA itself.

    To be opened in the process that uses it: no connection survives a fork.
    """
    if config.oracle_dsn:
        with closing(OracleDatabase(OracleAccess.from_config(config))) as oracle:
            yield oracle
        return
    if not config.data_dir.is_dir():
        raise ConfigError(f"{config.data_dir} is not a directory.", hint="Create it, or set VO_DATA_DIR.")
    # Two processes that spill into one directory would overwrite each other's files.
    with own_directory(config.spill_dir) as spill_dir:
        database = DuckDBDatabase(
            config.releases_dir,
            describe=describe,
            memory=config.duckdb_memory,
            threads=config.duckdb_threads,
            temp_dir=spill_dir,
            public_url=config.public_url,
        )
        with closing(database):
            yield database


def _redis(url: str, *, decode_responses: bool) -> Redis:
    return Redis.from_url(
        url,
        decode_responses=decode_responses,
        retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=2), 8),
        retry_on_error=_RETRY_ON,
    )
