"""UPLOAD (TAP 1.1, 2.7.6): the tables that a query brings along, read as streams and judged as they come.

Beside what the standard names, `job:<id>` is the result of an earlier job.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from vo.auth import User, may_see
from vo.catalog import Catalog, Column, Schema, Table
from vo.config import Config
from vo.context import Context
from vo.dali import File
from vo.db.base import Database, Incoming
from vo.errors import TooLargeError, UsageError
from vo.tablefiles.incoming import IncomingFile, incoming_file
from vo.uploads.fetch import fetched
from vo.uws.files import SENT
from vo.uws.job import Phase, is_job_id
from vo.uws.run import Run

SCHEMA = "TAP_UPLOAD"
"""The schema by which queries name the tables (TAP 1.1, 2.7.6)."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}\Z")
_MOST_TABLES = 16
_RESULT, _READ = "result", (".parquet", ".fits", ".vot", ".xml", ".csv")
_MOST_COLUMNS = 2_000


@dataclass(frozen=True, slots=True)
class Upload:
    """One pair of UPLOAD: the table's name, and the part that `param:` names, a job by its id, or a URL."""

    name: str
    uri: str

    @property
    def part(self) -> str | None:
        """The name of the file's part in the request; None: the table is not sent with it."""
        return self._behind("param")

    @property
    def job_id(self) -> str | None:
        """The job whose result the table is; None: it is none."""
        return self._behind("job")

    def _behind(self, wanted: str) -> str | None:
        scheme, _, rest = self.uri.partition(":")
        return rest if scheme.lower() == wanted else None


def parse_uploads(values: Sequence[str], config: Config) -> tuple[Upload, ...]:
    """The pairs `name,uri`, separated by semicolons or repeated (DALI 1.1, 4.3.5)."""
    pairs = [pair.strip() for value in values for pair in value.split(";") if pair.strip()]
    uploads = tuple(_parsed(pair, config) for pair in pairs)
    if len(uploads) > _MOST_TABLES:
        raise UsageError(f"UPLOAD names {len(uploads)} tables and may name {_MOST_TABLES}.")
    for name, count in Counter(upload.name.lower() for upload in uploads).items():
        if count > 1:
            raise UsageError(f"UPLOAD names the table {name} {count} times.")
    return uploads


def _parsed(pair: str, config: Config) -> Upload:
    name, comma, uri = (part.strip() for part in pair.partition(","))
    if not comma or not uri:
        raise UsageError(
            f"UPLOAD must be pairs of a table's name and where it is, not {pair[:80]!r}.",
            hint="For instance UPLOAD=mine,param:file1 and the table as the file part file1.",
        )
    if not _NAME.match(name):
        raise UsageError(
            f"UPLOAD: {name[:40]!r} cannot name a table.",
            hint="A name has up to 64 letters, digits and '_', and begins with a letter.",
        )
    scheme = uri.partition(":")[0].lower()
    if scheme in ("http", "https") and not config.upload_from:
        raise UsageError(
            f"UPLOAD: this service fetches no tables, so {name} cannot come from {uri[:80]!r}.",
            hint=f"Send the table with the request: UPLOAD={name},param:file1",
        )
    if scheme not in ("param", "job", "http", "https"):
        raise UsageError(f"UPLOAD: {uri[:80]!r} is neither param:… nor job:… nor a URL of http or https.")
    return Upload(name, uri)


@contextmanager
def with_uploads(uploads: Sequence[Upload], run: Run, context: Context) -> Iterator[Database]:
    """The database with the uploaded tables in it, which are gone behind the block."""
    if not uploads:
        yield context.database
        return
    with _files(uploads, run, context) as files:
        tables = [
            _incoming(upload, path, run, context.config) for upload, path in zip(uploads, files, strict=True)
        ]
        with context.database.holding(SCHEMA, tables, on_start=run.on_start) as database:
            yield database


@contextmanager
def with_table(upload: Upload, run: Run, context: Context) -> Iterator[Incoming]:
    """One table that comes along, to be read within the block: its rows as a stream, in no database."""
    with _files([upload], run, context) as (path,):
        yield _incoming(upload, path, run, context.config)


@contextmanager
def _files(uploads: Sequence[Upload], run: Run, context: Context) -> Iterator[list[Path]]:
    sent = {file.parameter.upper(): file.name for file in run.job.files}
    paths: list[Path] = []
    with fetched(context.config, run.check) as fetch:
        for upload in uploads:
            if upload.job_id is not None:
                paths.append(_result_of(upload.job_id, run, context))
            elif upload.part is None:
                paths.append(fetch(upload.uri))
            elif upload.part.upper() in sent:
                paths.append(context.results.path(run.job.id, SENT, sent[upload.part.upper()]))
            else:
                raise _missing(upload)
        yield paths


def _result_of(job_id: str, run: Run, context: Context) -> Path:
    """The table that an earlier job of the same owner left, or one of nobody."""
    job = context.store.get(job_id) if is_job_id(job_id) else None
    if job is None or not may_see(User(run.job.owner), job):
        raise UsageError(f"UPLOAD: there is no job {job_id[:40]!r} of yours.")
    if job.phase is not Phase.COMPLETED:
        raise UsageError(f"UPLOAD: job {job_id} is {job.phase} and has no result.")
    for result in job.results:
        path = context.results.path(job.id, job.attempt, result.name)
        if result.id == _RESULT and path.suffix in _READ:
            return path
    raise UsageError(
        f"UPLOAD: job {job_id} has no result that can be read again.",
        hint="Run it with RESPONSEFORMAT=parquet; VOTable, FITS and CSV will do as well.",
    )


def described(uploads: Sequence[Upload], files: Sequence[File]) -> Catalog:
    """The tables as a query sees them, without their rows: what is enough to judge it."""
    sent = {file.name.upper(): file for file in files}
    tables = []
    for upload in uploads:
        if upload.part is None:
            raise UsageError(
                f"UPLOAD: {upload.name} is fetched only when the query runs, and cannot be judged before.",
                hint="Send the table with the request.",
            )
        if upload.part.upper() not in sent:
            raise _missing(upload)
        with tempfile.NamedTemporaryFile(prefix="vo-upload-") as copy:
            shutil.copyfileobj(sent[upload.part.upper()].content, copy)
            copy.flush()
            tables.append(_table(upload, Path(copy.name))[0])
    return Catalog((Schema(SCHEMA, tuple(tables)),) if tables else ())


def _missing(upload: Upload) -> UsageError:
    return UsageError(
        f"UPLOAD: the request has no file part {str(upload.part)[:40]!r} for {upload.name}.",
        hint="Send a request of type multipart/form-data with the table as a file.",
    )


def _incoming(upload: Upload, path: Path, run: Run, config: Config) -> Incoming:
    table, file = _table(upload, path)
    return Incoming(table, _batches(upload, file, run, config))


def _table(upload: Upload, path: Path) -> tuple[Table, IncomingFile]:
    """The table as the database takes it: its columns under names of ours, so that any names will do."""
    with _naming(upload):
        file = incoming_file(path)
        _check_columns(file.columns)
    columns = tuple(replace(column, db_name=f"u{i}") for i, column in enumerate(file.columns, 1))
    return Table(SCHEMA, upload.name, columns), file


def _check_columns(columns: Sequence[Column]) -> None:
    if len(columns) > _MOST_COLUMNS:
        raise TooLargeError(f"It has {len(columns):,} columns and may have {_MOST_COLUMNS:,}.")
    for name, count in Counter(column.name for column in columns).items():
        if count > 1:
            raise UsageError(f"It has {count} columns called {name!r}.")


def _batches(upload: Upload, file: IncomingFile, run: Run, config: Config) -> Iterator[pa.RecordBatch]:
    rows = 0
    most = config.upload_rows if upload.job_id is None else config.maxrec_limit
    with _naming(upload):
        for batch in file.batches():
            run.check()
            rows += batch.num_rows
            if rows > most:
                raise TooLargeError(f"It has more than {most:,} rows.", hint="Upload it in parts.")
            yield batch


@contextmanager
def _naming(upload: Upload) -> Iterator[None]:
    """Let complaints say which table they are about."""
    try:
        yield
    except UsageError as error:
        raise type(error)(f"UPLOAD {upload.name}: {error.message}", hint=error.hint) from error
