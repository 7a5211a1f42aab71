"""A PostgreSQL of our own with q3c and pgSphere, holding the rows of a DuckDB table."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.csv

BINARIES = Path("/usr/lib/postgresql/15/bin")
USER = "postgres"  # the server refuses to run as root
SETTINGS = (
    "listen_addresses=",
    "shared_buffers=3GB",
    "effective_cache_size=8GB",
    "work_mem=256MB",
    "maintenance_work_mem=1GB",
    "random_page_cost=1.1",
    "jit=off",
    "fsync=off",
    "autovacuum=off",
    "max_wal_size=8GB",
    "wal_level=minimal",
    "max_wal_senders=0",
)
"""All in memory, nothing held back: these are its fastest times."""

COLUMNS = "id bigint, ra float8, dec float8"
MAGNITUDES = "mag_g float4, mag_r float4, mag_i float4, mag_z float4"


@contextmanager
def server(directory: Path) -> Iterator[psycopg.Connection]:
    """Start the server whose cluster is in `directory` (made where there is none); a connection to it."""
    cluster, log = directory / "cluster", directory / "log"
    if not cluster.exists():
        directory.mkdir(parents=True, exist_ok=True)
        shutil.chown(directory, USER)
        _run("initdb", "--pgdata", cluster, "--auth", "trust", "--encoding", "UTF8", "--no-sync")
    options = " ".join(f'-c "{setting}"' for setting in (*SETTINGS, f"unix_socket_directories={directory}"))
    _run("pg_ctl", "start", "--wait", "--pgdata", cluster, "--log", log, "--options", options)
    try:
        with psycopg.connect(f"host={directory} user={USER} dbname=postgres", autocommit=True) as connection:
            yield connection
    finally:
        _run("pg_ctl", "stop", "--pgdata", cluster, "--mode", "fast")


def _run(program: str, *arguments: object) -> None:
    command = [str(BINARIES / program), *map(str, arguments)]
    subprocess.run(command, check=True, user=USER, cwd="/", stdout=subprocess.DEVNULL)


def fill(connection: psycopg.Connection, release: Path, schema: str) -> None:
    """Copy objects and nearby into tables, each as both extensions like them best; once a cluster.

    The objects lie in the order of q3c's index, as CLUSTER would leave them; pgSphere has its positions
    stored beside and indexed. Neighbours have a stored position, too, and no index.
    """
    if connection.execute("SELECT to_regclass('nearby')").fetchone() != (None,):
        return
    connection.execute("CREATE EXTENSION q3c")
    connection.execute("CREATE EXTENSION pg_sphere")
    position = "*, spoint(radians(ra), radians(dec)) AS pos"
    for table, columns in (("objects", f"{COLUMNS}, {MAGNITUDES}"), ("nearby", COLUMNS)):
        connection.execute(f"CREATE UNLOGGED TABLE raw ({columns})")
        names = columns.replace(" bigint", "").replace(" float8", "").replace(" float4", "")
        with duckdb.connect() as source:
            source.execute(f"ATTACH '{release}' AS release (READ_ONLY)")
            rows = source.sql(f"SELECT {names} FROM release.{schema}.{table}").to_arrow_reader(200_000)
            with connection.cursor().copy("COPY raw FROM STDIN (FORMAT csv)") as copy:
                for batch in rows:
                    copy.write(_csv(batch))
        order = "ORDER BY q3c_ang2ipix(ra, dec)" if table == "objects" else ""
        connection.execute(f"CREATE TABLE {table} AS SELECT {position} FROM raw {order}")
        connection.execute("DROP TABLE raw")
    connection.execute("CREATE INDEX ON objects (q3c_ang2ipix(ra, dec))")
    connection.execute("CREATE INDEX ON objects USING gist (pos)")
    connection.execute("VACUUM ANALYZE")


def _csv(batch: pa.RecordBatch) -> bytes:
    out = io.BytesIO()
    pa.csv.write_csv(batch, out, pa.csv.WriteOptions(include_header=False))
    return out.getvalue()
