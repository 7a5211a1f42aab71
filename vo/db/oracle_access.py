"""Where Oracle is and who reads it: the settings, the optional driver, and what every session is told."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from vo.config import Config
from vo.db.oracle_faults import as_vo_error
from vo.errors import ConfigError

Connection = Any
"""`oracledb.Connection`; the driver is optional, so its types are not there for everyone."""

SETUP_S = 15
"""Seconds that a round trip without work in it may take: settings, roll-back."""

_SESSION_SETTINGS = (
    "ALTER SESSION SET NLS_NUMERIC_CHARACTERS = '.,' NLS_COMP = BINARY NLS_SORT = BINARY"
    """ NLS_DATE_FORMAT = 'YYYY-MM-DD"T"HH24:MI:SS' NLS_TIMESTAMP_FORMAT = 'YYYY-MM-DD"T"HH24:MI:SS.FF6'"""
)
"""Text compares by code point and times are written as in DALI 1.1 (3.3.3), whatever the server's locale."""

_TABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_$#]{0,99}(\.[A-Za-z][A-Za-z0-9_$#]{0,99})?\Z")


@dataclass(frozen=True, slots=True)
class OracleAccess:
    """Where the database is, who reads it, and how much of it one process takes.

    `connections` are sessions at the most; `wait_s` seconds are waited for a free one; `statement_s` seconds
    may pass from the start of a statement to its last row. `wallet` is a directory with ewallet.pem, or
    empty; `catalog` the table in which the published catalogue lies, perhaps with its schema before a point;
    with `uploads` the account may make private temporary tables, and does.
    """

    dsn: str
    user: str
    password: str = field(repr=False)
    connections: int = 4
    wait_s: int = 10
    statement_s: int = 3_600
    wallet: str = ""
    wallet_password: str = field(default="", repr=False)
    catalog: str = "VO_CATALOG"
    uploads: bool = False

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """What the settings VO_ORACLE_* say; ConfigError names the one that is missing or wrong."""
        for name in ("oracle_dsn", "oracle_user"):
            if not getattr(config, name):
                raise ConfigError(
                    f"VO_{name.upper()} is not set.", hint="Oracle needs it; see docs/oracle.md."
                )
        if not _TABLE_NAME.match(config.oracle_catalog):
            raise ConfigError(
                f"VO_ORACLE_CATALOG must be TABLE or SCHEMA.TABLE, not {config.oracle_catalog!r}."
            )
        if config.oracle_connections < 1:
            raise ConfigError("VO_ORACLE_CONNECTIONS must be 1 or more.")
        return cls(
            dsn=config.oracle_dsn,
            user=config.oracle_user,
            password=_password(config),
            connections=config.oracle_connections,
            wait_s=config.oracle_wait_s,
            # A job without a limit of its own lives until its destruction at the longest.
            statement_s=config.duration_limit_s or config.destruction_limit_s,
            wallet=config.oracle_wallet,
            wallet_password=config.oracle_wallet_password,
            catalog=config.oracle_catalog,
            uploads=config.oracle_uploads > 0,
        )

    @property
    def catalog_path(self) -> tuple[str, ...]:
        """The bare names of the table `catalog`, as Oracle spells names without quotes."""
        return tuple(self.catalog.upper().split("."))

    def login(self) -> dict[str, Any]:
        """The arguments of the driver for one connection or a pool of them."""
        login: dict[str, Any] = {
            "dsn": self.dsn,
            "user": self.user,
            "password": self.password,
            "tcp_connect_timeout": 5,
            "expire_time": 1,
            "sdu": 65_535,
        }
        if self.wallet:  # such a directory may hold tnsnames.ora as well
            login |= {"wallet_location": self.wallet, "config_dir": self.wallet}
        if self.wallet_password:
            login["wallet_password"] = self.wallet_password
        return login


def pool_of(access: OracleAccess) -> Any:  # noqa: ANN401  `oracledb.ConnectionPool`
    """A pool that makes its connections when they are needed; ConfigError: its address makes no sense."""
    driver = installed_driver()
    try:
        return driver.create_pool(
            **access.login(),
            min=0,
            max=access.connections,
            getmode=driver.POOL_GETMODE_TIMEDWAIT,
            wait_timeout=access.wait_s * 1000,
            timeout=300,
            ping_interval=60,
            ping_timeout=5_000,
            stmtcachesize=50,
            session_callback=make_ready,
        )
    except (driver.Error, OSError) as error:
        first_line = str(error).partition("\n")[0]
        raise ConfigError(
            f"Oracle cannot be reached as it is set: {first_line}",
            hint="Mend VO_ORACLE_DSN or VO_ORACLE_WALLET.",
        ) from error


@contextmanager
def writing(access: OracleAccess) -> Iterator[Connection]:
    """A connection of its own that may change things; what is not committed at the end is undone.

    Errors of the driver leave the block as those of the service.
    """
    driver = installed_driver()
    try:
        with driver.connect(**access.login()) as connection:
            make_ready(connection)
            connection.call_timeout = access.statement_s * 1000
            yield connection
    except (driver.Error, OSError) as error:
        raise as_vo_error(error) from error


def installed_driver() -> Any:  # noqa: ANN401  a module that need not be there
    """The module `oracledb`; ConfigError where it is not installed."""
    try:
        import oracledb  # noqa: PLC0415  an optional driver
    except ImportError as error:
        raise ConfigError(
            "Oracle is read with the driver python-oracledb, which is not installed.",
            hint="Install it with `pip install 'vo[oracle]'`.",
        ) from error
    oracledb.defaults.fetch_lobs = False
    return oracledb


def make_ready(connection: Connection, _requested_tag: str = "") -> None:
    """Tell a new session how to behave, and its DBA whose it is (columns of V$SESSION)."""
    connection.call_timeout = SETUP_S * 1000
    connection.module = "vo"
    connection.client_identifier = f"{socket.gethostname()}:{os.getpid()}"
    with connection.cursor() as cursor:
        cursor.execute(_SESSION_SETTINGS)


def quoted_path(*names: str) -> str:
    """Bare names as a path of delimited identifiers; Oracle has no way to write a quote inside one.

    >>> quoted_path("VO", "VO_CATALOG")
    '"VO"."VO_CATALOG"'
    """
    for name in names:
        if '"' in name or "\0" in name:
            raise ConfigError(f"{name!r} cannot be a name in Oracle.")
    return ".".join(f'"{name}"' for name in names)


def _password(config: Config) -> str:
    path = config.oracle_password_file
    if bool(path) == bool(config.oracle_password):
        raise ConfigError("Set either VO_ORACLE_PASSWORD or VO_ORACLE_PASSWORD_FILE.")
    if not path:
        return config.oracle_password
    try:
        return Path(path).read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The password of Oracle cannot be read: {error}.", hint="Mend VO_ORACLE_PASSWORD_FILE."
        ) from error
