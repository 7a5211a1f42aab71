"""`vo check`: whether the service could start, each thing with how to mend it.

What a process cannot do without is looked at again when it starts, so that none is started by half.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError
from redis.retry import Retry

from vo.adql import translate
from vo.catalog import Catalog, Column, Table
from vo.config import Config
from vo.context import open_database
from vo.db.base import Database, Incoming
from vo.errors import ConfigError, TransientError, VOError
from vo.images.tables import IMAGES
from vo.log import logger
from vo.tap.schema import describe
from vo.uploads import SCHEMA
from vo.uws.record import FORM

_INCOMING = Incoming(Table(SCHEMA, "checked", (Column("number", "long"),)), ())
"""A table such as queries bring along."""

_FILES_LOOKED_FOR = 100

PATIENCE_S = 30.0
"""Seconds for which a process that starts waits for servers that do not answer yet."""

MOST_SKEW_S = 30.0
"""Seconds by which the clock of a machine may be off that of the job store, by which all others go."""

LEAST_FREE = 256 * 2**20
"""Bytes below which the volume of results counts as full."""

_LAST_PORT = 2**16 - 1
_PROBE = bytes(2**20)
_ANSWER_S = 5.0
_FULL = (errno.ENOSPC, errno.EDQUOT)

log = logger(__name__)

Examine = Callable[[Config], str]

Starter = Literal["port", "serve", "served", "web", "worker", "sweep", "watch"]
"""Who starts."""


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


def start(config: Config, who: Starter, *, patience_s: float = PATIENCE_S) -> None:
    """Return once all that `who` needs is there; ConfigError, with a log: it is not.

    A server that does not answer may be starting itself, and is waited for.
    """
    needed = _NEEDED[who]
    if "relay" in needed and not (config.state_url and config.relay_url):
        raise ConfigError(
            "VO_STATE_URL and VO_RELAY_URL must name two Redis servers.",
            hint="`vo serve` starts both by itself.",
        )
    deadline = time.monotonic() + patience_s
    while faults := dict(_faults(config, needed)):
        is_lasting = any(not isinstance(error, TransientError) for error in faults.values())
        if is_lasting or time.monotonic() > deadline:
            for name, error in faults.items():
                log.error("not in order", part=name, error=error.message, hint=error.hint)
            raise ConfigError(f"Nothing was started; not in order: {', '.join(faults)}.")
        log.warning(
            "waiting for what does not answer yet",
            parts={name: error.message for name, error in faults.items()},
        )
        time.sleep(1)
    if "results" in needed:
        _warn_of_space(config)
    if "relay" in needed:
        with _asked(config.state_url, "VO_STATE_URL") as client:
            client.set(FORM_KEY, FORM, nx=True)


def _faults(config: Config, needed: Mapping[str, Examine]) -> Iterator[tuple[str, VOError]]:
    for name, examine in needed.items():
        try:
            examine(config)
        except VOError as error:
            yield name, error


def _warn_of_space(config: Config) -> None:
    """No reason to stay away: it takes a service to delete jobs."""
    try:
        _space(config)
    except VOError as error:
        log.warning("not in order", part="space", error=error.message, hint=error.hint)


def _data_dir(config: Config) -> str:
    path = config.data_dir
    if not path.is_dir():
        raise ConfigError(f"{path} is not a directory.", hint="Create it, or set VO_DATA_DIR.")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigError(f"{path} cannot be written by this user.", hint="Change its owner or mode.")
    return str(path)


def _results(config: Config) -> str:
    return _writable(config.results_dir, "Mount the volume of results read-write")


def _watches(config: Config) -> str:
    return _writable(config.watch_dir, "Mount the volume of renewed models read-write")


def _writable(root: Path, hint: str) -> str:
    """Whether files can be made there: on a volume mounted read-only, not even root may."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as error:
        if error.errno not in _FULL:
            raise ConfigError(
                f"{root} cannot be written: {error.strerror}.",
                hint=f"{hint}, or change its owner to this user.",
            ) from error
    return str(root)


def _address(config: Config) -> str:
    """Whether the web server will be able to listen, found out as it does it."""
    if config.port > _LAST_PORT:
        raise ConfigError(f"VO_PORT is {config.port}, but ports end at {_LAST_PORT}.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            config.host or None, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ConfigError(
            f"Port {config.port} of {config.host} cannot be listened on: {error.strerror}.",
            hint="Stop what listens there, or choose another --port or --host.",
        ) from error
    return f"{config.host}:{config.port}"


def _space(config: Config) -> str:
    root = next(path for path in (config.results_dir, *config.results_dir.parents) if path.is_dir())
    hint = "Enlarge the volume, or delete jobs; `vo sweep` removes those that are due."
    try:
        with tempfile.TemporaryFile(dir=root) as file:
            file.write(_PROBE)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in _FULL:
            return "not known"
        raise ConfigError(f"{root} takes no more bytes: {error.strerror}.", hint=hint) from error
    space = os.statvfs(root)
    free = space.f_bavail * space.f_frsize
    if free < LEAST_FREE:
        raise ConfigError(f"{root} has {free / 1e6:.0f} MB left.", hint=hint)
    return f"{free / 1e9:.0f} GB free for results"


def _catalog(config: Config) -> str:
    """Whether the releases can be read, found out in a child: what it opens must not outlive a fork."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_tell_release, args=(config, theirs))
    child.start()
    theirs.close()
    try:
        answer = ours.recv()
    except EOFError as error:
        raise ConfigError("The database ends a process that opens it.") from error
    finally:
        child.join()
        ours.close()
    if isinstance(answer, str):
        return answer
    kind, message, hint = answer
    raise kind(message, hint=hint)


def _tell_release(config: Config, to: Connection) -> None:
    try:
        with _opened(config) as database:
            to.send(database.catalog().release)
    except VOError as error:
        kind = TransientError if isinstance(error, TransientError) else ConfigError
        to.send((kind, error.message, error.hint))


@contextmanager
def _opened(config: Config) -> Iterator[Database]:
    """The database; where it does not answer, with its address and what to mend."""
    try:
        with open_database(config, describe) as database:
            yield database
    except TransientError as error:
        reason = f" {error.__cause__}." if isinstance(error.__cause__, OSError) else ""
        raise TransientError(
            f"{config.oracle_dsn or 'The database'} does not answer: {error}{reason}",
            hint="Start it, or mend VO_ORACLE_DSN.",
        ) from error


def _releases(config: Config) -> str:
    with _opened(config) as database:
        catalog = database.catalog()
        for table in catalog.tables():
            _try(database, catalog, table)
        if database.takes_tables:
            with database.holding(SCHEMA, [_INCOMING]):  # an account may lack the privilege
                pass
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


@contextmanager
def _asked(url: str, variable: str) -> Iterator[Redis]:
    """A connection for a question or two, which does not wait long."""
    try:
        with Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=_ANSWER_S,
            socket_connect_timeout=_ANSWER_S,
            retry=Retry(NoBackoff(), 0),
        ) as client:
            yield client
    except AuthenticationError as error:
        raise ConfigError(
            f"{_without_password(url)} refuses the password: {error}.",
            hint=f"It belongs into {variable}: redis://:PASSWORD@HOST:PORT.",
        ) from error
    except (RedisError, OSError) as error:
        raise TransientError(
            f"{_without_password(url)} does not answer: {error}.", hint=f"Start it, or mend {variable}."
        ) from error
    except ValueError as error:
        raise ConfigError(f"{variable} is no address of a Redis server: {error}.") from error


def _without_password(url: str) -> str:
    """The URL as it may be shown.

    >>> _without_password("redis://:secret@state:6379/0")
    'redis://…@state:6379/0'
    """
    scheme, slashes, rest = url.partition("://")
    return f"{scheme}{slashes}…@{rest.rpartition('@')[2]}" if "@" in rest else url


def _redis(url: str, variable: str) -> str:
    if not url:
        return f"{variable} is not set; `vo serve` starts a server of its own"
    with _asked(url, variable) as client:
        return f"{_without_password(url)}, Redis {client.info('server')['redis_version']}"


def _state(config: Config) -> str:
    told = _redis(config.state_url, "VO_STATE_URL")
    if config.state_url:
        with _asked(config.state_url, "VO_STATE_URL") as client:
            if not client.info("persistence")["aof_enabled"]:
                told += ", without an append-only file: jobs end with it"
            _refuse_other_form(str(client.get(FORM_KEY) or FORM))
    return told


FORM_KEY = "vo:form"
"""Where the job store keeps the number of the form in which its jobs are."""


def _refuse_other_form(found: str) -> None:
    if int(found) != FORM:
        age = "an older" if int(found) < FORM else "a newer"
        raise ConfigError(
            f"The jobs in VO_STATE_URL are those of {age} version (form {found}; this one has {FORM}).",
            hint="See the upgrade in docs/operations.md.",
        )


def _clock(config: Config) -> str:
    if not config.state_url:
        return "that of this machine"
    with _asked(config.state_url, "VO_STATE_URL") as client:
        seconds, micros = client.time()
    skew_s = time.time() - (seconds + micros / 1e6)
    if abs(skew_s) > MOST_SKEW_S:
        raise ConfigError(
            f"The clock of this machine is {abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} "
            "that of VO_STATE_URL.",
            hint="Set both by NTP: times of jobs would be wrong, and jobs destroyed at the wrong time.",
        )
    return f"{abs(skew_s):.1f} s off that of VO_STATE_URL"


_EXAMINED: Mapping[str, Examine] = {
    "data directory": _data_dir,
    "results": _results,
    "space": _space,
    "releases": _releases,
    "images": _images,
    "state": _state,
    "relay": lambda config: _redis(config.relay_url, "VO_RELAY_URL"),
    "clock": _clock,
}
"""What `vo check` looks at."""

_STORED: Mapping[str, Examine] = {"data directory": _data_dir, "results": _results, "releases": _catalog}
_ASKED: Mapping[str, Examine] = {"state": _state, "relay": _EXAMINED["relay"], "clock": _clock}

_NEEDED: Mapping[Starter, Mapping[str, Examine]] = {
    "port": {"address": _address},
    "serve": _STORED,
    "served": _ASKED,
    "web": {**_STORED, **_ASKED, "address": _address},
    "worker": {**_STORED, **_ASKED},
    "sweep": {**_STORED, **_ASKED},
    "watch": {"watches": _watches, "state": _state},
}
"""What each cannot do without.

`vo serve` looks at its port before it makes anything, at what is stored before it starts anything, and at its
own Redis servers before it starts the rest.
"""
