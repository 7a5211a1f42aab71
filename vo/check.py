"""`vo check`: whether the service could start, each thing with how to mend it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from redis import Redis
from redis.exceptions import RedisError

from vo.adql import translate
from vo.catalog import Catalog, Column, Table
from vo.config import Config
from vo.context import open_database
from vo.db.base import Database, Incoming
from vo.errors import ConfigError, TransientError, VOError
from vo.images.tables import IMAGES
from vo.tap.schema import describe
from vo.uploads import SCHEMA

_INCOMING = Incoming(Table(SCHEMA, "checked", (Column("number", "long"),)), ())
"""A table such as queries bring along."""


_FILES_LOOKED_FOR = 100


def check(config: Config) -> Iterator[str]:
    """One line for each thing in order; a ConfigError with all that is not, at the end."""
    faults = []
    for name, examine in _EXAMINED.items():
        try:
            yield f"ok    {name}: {examine(config)}"
        except VOError as error:
            faults.append(name)
            yield f"FAULT {name}: {error}"
    if faults:
        raise ConfigError(f"Not in order: {', '.join(faults)}.")


def _data_dir(config: Config) -> str:
    path = config.data_dir
    if not path.is_dir():
        raise ConfigError(f"{path} is not a directory.", hint="Create it, or set VO_DATA_DIR.")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigError(f"{path} cannot be written by this user.", hint="Change its owner or mode.")
    space = os.statvfs(path)
    return f"{path}, {space.f_bavail * space.f_frsize / 1e9:.0f} GB free"


def _releases(config: Config) -> str:
    try:
        with open_database(config, describe) as database:
            catalog = database.catalog()
            for table in catalog.tables():
                _try(database, catalog, table)
            if database.takes_tables:
                with database.holding(SCHEMA, [_INCOMING]):  # an account may lack the privilege
                    pass
    except TransientError as error:
        raise ConfigError(
            f"{config.oracle_dsn} does not answer: {error}", hint="Start it, or mend VO_ORACLE_DSN."
        ) from error
    rows = sum(table.nrows or 0 for table in catalog.tables())
    where = f"Oracle at {config.oracle_dsn}, {catalog.release}: " if config.oracle_dsn else ""
    return f"{where}{len(list(catalog.tables()))} tables, {rows:,} rows"


def _try(database: Database, catalog: Catalog, table: Table) -> None:
    """Whether the account may read the table, and the table has the columns that are published."""
    query = f"SELECT * FROM {table.qualified} WHERE 1 = 0"  # noqa: S608  published names alone
    try:
        with database.stream(translate(query, catalog, dialect=database.dialect)) as result:
            list(result)
    except TransientError:
        raise
    except VOError as error:
        raise ConfigError(f"The table {table.qualified} cannot be read: {error}") from error


def _images(config: Config) -> str:
    """Whether the first files of each release with images are where they are published to be."""
    root, missing, total = config.images_root, [], 0
    with open_database(config, describe) as database:
        for table in database.catalog().tables():
            if table.name != IMAGES or table.column("path") is None:
                continue
            total += table.nrows or 0
            query = f"SELECT TOP {_FILES_LOOKED_FOR} path FROM {table.qualified}"  # noqa: S608  published names
            with database.stream(translate(query, database.catalog(), dialect=database.dialect)) as result:
                paths = [path for batch in result for path in batch.column(0).to_pylist()]
            missing += [path for path in paths if not (root / path).is_file()]
    if missing:
        raise ConfigError(
            f"{root / missing[0]} is missing, and {len(missing) - 1} other files of images.",
            hint="Mend VO_IMAGES_DIR, or run `vo load images` again.",
        )
    return f"{total:,} images below {root}" if total else "none"


def _redis(url: str, variable: str) -> str:
    if not url:
        return f"{variable} is not set; `vo serve` starts a server of its own"
    try:
        with Redis.from_url(url, decode_responses=True) as client:
            version = client.info("server")["redis_version"]
    except (RedisError, ValueError) as error:
        raise ConfigError(
            f"{url} does not answer: {error}.", hint=f"Start it, or mend {variable}."
        ) from error
    return f"{url}, Redis {version}"


_EXAMINED: dict[str, Callable[[Config], str]] = {
    "data directory": _data_dir,
    "releases": _releases,
    "images": _images,
    "state": lambda config: _redis(config.state_url, "VO_STATE_URL"),
    "relay": lambda config: _redis(config.relay_url, "VO_RELAY_URL"),
}
