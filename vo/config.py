"""Every setting of the service, read once from VO_* variables; nothing else reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self, get_type_hints

from vo.errors import ConfigError


def _setting(default: Any, help_text: str, *, secret: bool = False) -> Any:  # noqa: ANN401  the type is the field's own
    return field(default=default, repr=not secret, metadata={"help": help_text})


@dataclass(frozen=True, slots=True)
class Config:
    """The settings; the variable of `data_dir` is VO_DATA_DIR, and so on."""

    data_dir: Path = _setting(Path("data"), "Directory of releases, results and, under `vo serve`, of Redis.")
    host: str = _setting("127.0.0.1", "Address on which the web server listens.")
    port: int = _setting(8000, "Port on which the web server listens.")
    base_url: str = _setting(
        "", "Public URL of the service; empty: taken from each request, in stored links from host and port."
    )
    images_dir: str = _setting(
        "", "Directory below which all images lie; empty: `images` in the data directory."
    )
    state_url: str = _setting("", "Redis of jobs and queue (append-only); `vo serve` starts its own.")
    relay_url: str = _setting(
        "", "Redis that relays sync results (no persistence); `vo serve` starts its own."
    )
    relay_dir: str = _setting("", "Directory in memory shared by web and workers, which speeds the relay up.")
    title: str = _setting("vo data service", "Name of the service on its pages and documents.")
    authority: str = _setting("vo.example", "IVOA authority in identifiers made by this service.")
    user_header: str = _setting(
        "", "Request header in which a trusted proxy names the user; empty: all anonymous."
    )
    sync_workers: int = _setting(2, "Processes of the `sync` lane.")
    query_workers: int = _setting(2, "Processes of the `query` lane.")
    cutout_workers: int = _setting(1, "Processes of the `cutout` lane: SODA jobs and cutouts in bulk.")
    anomaly_workers: int = _setting(1, "Processes of the `anomaly` lane.")
    sync_memory_mb: int = _setting(3_072, "Megabytes of a process of the lane; DuckDB gets two thirds.")
    query_memory_mb: int = _setting(3_072, "Megabytes of a process of the lane; DuckDB gets two thirds.")
    cutout_memory_mb: int = _setting(2_048, "Megabytes of a process of the lane; DuckDB gets two thirds.")
    anomaly_memory_mb: int = _setting(
        4_096, "Megabytes of a process of the lane; DuckDB gets a third to read, a third to rank."
    )
    anomaly_threads: int = _setting(2, "Threads with which a process of the `anomaly` lane scores.")
    anomaly_part_rows: int = _setting(
        983_040,
        "Rows of a table that one worker reads at a time for an anomaly job; its samples depend on it.",
    )
    owner_models: int = _setting(100, "Models of one owner that are kept at the most.")
    model_bytes: int = _setting(67_108_864, "Bytes of a model that is sent at the most.")
    model_default_s: int = _setting(2_592_000, "Seconds for which a model is kept.")
    model_limit_s: int = _setting(31_536_000, "Seconds for which a model is kept, at the most.")
    sync_queue_limit: int = _setting(200, "Sync queries that may wait; 0: any number. More are told 503.")
    queue_limit: int = _setting(10_000, "Jobs that may wait on each other lane; 0: any number.")
    owner_queued: int = _setting(
        1_000, "Jobs of one owner that may wait on a lane; 0: any number. More are told 429."
    )
    owner_running: int = _setting(4, "Jobs of one owner that may run at once on a lane; 0: any number.")
    proxies: str = _setting("127.0.0.1", "Addresses whose X-Forwarded-For is believed, comma-separated.")
    maxrec_default: int = _setting(100_000, "Rows of a result when MAXREC is not given.")
    maxrec_limit: int = _setting(20_000_000, "Rows of a result at the most.")
    output_bytes: int = _setting(
        17_179_869_184, "Bytes of the rows of a result at the most, as they are sent. 0: no limit."
    )
    query_bytes: int = _setting(262_144, "Bytes of QUERY at the most.")
    request_bytes: int = _setting(2_097_152, "Bytes of a request body at the most.")
    upload_bytes: int = _setting(67_108_864, "Bytes of all files uploaded with one request at the most.")
    upload_rows: int = _setting(1_000_000, "Rows of one uploaded table at the most.")
    upload_from: str = _setting(
        "public", "Where UPLOAD may fetch tables: `public` addresses, or hosts by name; empty: nowhere."
    )
    cutout_pixels: int = _setting(50_000_000, "Pixels of one cutout at the most.")
    cutout_positions: int = _setting(20_000, "Positions of one job of cutouts at the most.")
    cutout_job_pixels: int = _setting(4_000_000_000, "Pixels of all cutouts of one job at the most.")
    map_cache_bytes: int = _setting(1_073_741_824, "Bytes of all maps of the sky that are kept at the most.")
    sync_timeout_s: int = _setting(60, "Seconds a sync query may run.")
    sync_scan_limit: int = _setting(
        50_000_000, "Rows that a sync query may be expected to read; more of them need a job. 0: no limit."
    )
    duration_default_s: int = _setting(3_600, "executionDuration of a new job.")
    duration_limit_s: int = _setting(43_200, "executionDuration at the most.")
    destruction_default_s: int = _setting(604_800, "Seconds until a new job is destroyed.")
    destruction_limit_s: int = _setting(2_592_000, "Seconds until a job is destroyed, at the most.")
    wait_limit_s: int = _setting(60, "Seconds that WAIT blocks at the most.")
    lease_s: int = _setting(
        30, "Seconds after which a silent worker, or a silent reader of a result, is taken for dead."
    )
    drain_s: int = _setting(
        2, "Seconds that running jobs, and requests, have to finish when their process is told to stop."
    )
    leave_s: int = _setting(
        0, "Seconds that a web server which is told to stop still takes requests, saying no on /ready."
    )
    alive_file: str = _setting(
        "", "File that a worker or a watch touches as long as it does its work; empty: none."
    )
    stop_grace_s: int = _setting(
        5, "Seconds after which a job that does not stop is killed with its process."
    )
    sweep_interval_s: int = _setting(60, "Seconds between two sweeps inside `vo serve`.")
    duckdb_memory: str = _setting("2GB", "Memory of DuckDB in `vo load` and in the web server.")
    duckdb_threads: int = _setting(2, "Threads of DuckDB in each process.")
    oracle_dsn: str = _setting("", "Address of Oracle (`host:1521/service`); empty: the embedded DuckDB.")
    oracle_user: str = _setting("", "Account that reads the tables.")
    oracle_password: str = _setting("", "Its password.", secret=True)
    oracle_password_file: str = _setting("", "File with the password, in place of VO_ORACLE_PASSWORD.")
    oracle_wallet: str = _setting("", "Directory with ewallet.pem for TLS and, if used, tnsnames.ora.")
    oracle_wallet_password: str = _setting("", "Password of the private key in the wallet.", secret=True)
    oracle_connections: int = _setting(4, "Sessions of Oracle for each process at the most.")
    oracle_wait_s: int = _setting(10, "Seconds that a query waits for a free session.")
    oracle_catalog: str = _setting("VO_CATALOG", "Table that `vo publish` writes, perhaps SCHEMA.TABLE.")
    oracle_uploads: int = _setting(0, "1: queries may bring tables; the account needs CREATE TABLE. 0: none.")
    log_level: str = _setting("info", "debug, info, warning or error.")
    log_format: str = _setting("auto", "json, text, or auto: text on a terminal and JSON elsewhere.")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> Self:
        """The settings of `environ` (default: the process's), with `overrides` on top.

        An unknown VO_* variable or a value of the wrong form is a ConfigError that names it.
        """
        environ = os.environ if environ is None else environ
        types = get_type_hints(cls)
        values: dict[str, Any] = {}
        known = {variable(f.name): f.name for f in fields(cls)}
        for name in environ:
            if name.startswith("VO_") and name not in known and not name.startswith("VO_TEST_"):
                raise ConfigError(
                    f"There is no setting {name}.", hint="The settings are listed in the README."
                )
            if name in known:
                values[known[name]] = _parsed(name, environ[name], types[known[name]])
        return cls(**{**values, **{key: value for key, value in overrides.items() if value is not None}})

    @property
    def public_url(self) -> str:
        """The root of the service where no request tells it, without a slash at the end."""
        return self.base_url.rstrip("/") or f"http://{self.host}:{self.port}"

    @property
    def images_root(self) -> Path:
        """The directory below which all images lie."""
        return Path(self.images_dir) if self.images_dir else self.data_dir / "images"

    @property
    def releases_dir(self) -> Path:
        """Where the release files lie."""
        return self.data_dir / "releases"

    @property
    def models_dir(self) -> Path:
        """Where the models are kept."""
        return self.data_dir / "models"

    @property
    def staging_dir(self) -> Path:
        """Where releases lie on their way to Oracle."""
        return self.data_dir / "oracle"

    @property
    def watch_dir(self) -> Path:
        """Where watches keep their models, as they renew them."""
        return self.data_dir / "watch"

    @property
    def maps_dir(self) -> Path:
        """Where maps of the sky are kept that were made once."""
        return self.data_dir / "maps"

    @property
    def spill_dir(self) -> Path:
        """Where each process has a directory for what does not fit into the memory of its database."""
        return self.data_dir / "tmp"

    @property
    def relay_blocks(self) -> Path | None:
        """The directory of `relay_dir`; None: blocks go through Redis."""
        return Path(self.relay_dir) if self.relay_dir else None

    @property
    def results_dir(self) -> Path:
        """Where the results of jobs lie, a directory a job."""
        return self.data_dir / "results"


def variable(name: str) -> str:
    """The environment variable of a setting.

    >>> variable("data_dir")
    'VO_DATA_DIR'
    """
    return "VO_" + name.upper()


def _parsed(name: str, text: str, kind: type) -> Any:  # noqa: ANN401
    try:
        value = kind(text)
    except ValueError as error:
        raise ConfigError(f"{name} must be of the form {kind.__name__}, not {text!r}.") from error
    if kind is int and value < 0:
        raise ConfigError(f"{name} must not be negative, but is {value}.")
    return value
