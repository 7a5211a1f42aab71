"""pyvo: what an astronomer's script does, with every warning counted."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pyvo
from judgement import Judgement, Notebook
from pyvo.dal.exceptions import DALOverflowWarning, DALQueryError
from pyvo.dal.tap import TAPService
from service import LONG_QUERY, Service

QUERY = "SELECT TOP 12 coadd_object_id, ra, dec, mag_auto_g, tilename FROM sim1.main ORDER BY coadd_object_id"


def judge(service: Service) -> Iterator[Judgement]:
    """One judgement of all that a TAPService offers but uploads."""
    notebook = Notebook("pyvo", pyvo.__version__)
    for act in ACTS:
        with notebook.check((act.__doc__ or "").rstrip(".")):
            act(TAPService(service.tap))
    yield notebook.judgement()


def _tables(tap: TAPService) -> None:
    """Tables and columns."""
    main = tap.tables["sim1.main"]
    by_name = {column.name: column for column in main.columns}
    assert by_name["ra"].unit == "deg", by_name["ra"].unit
    assert by_name["ra"].ucd == "pos.eq.ra;meta.main", by_name["ra"].ucd
    assert {"TAP_SCHEMA.tables", "sim1.truth"} <= set(tap.tables.keys())
    assert all(table.columns for table in tap.tables.values()), "a table without columns"


def _one_table(tap: TAPService) -> None:
    """All columns that the tables document names can be selected."""
    for table in tap.tables.values():
        columns = ", ".join(column.name for column in table.columns)
        assert len(tap.search(f"SELECT TOP 1 {columns} FROM {table.name}").fieldnames) == len(table.columns)


def _examples(tap: TAPService) -> None:
    """Every example runs."""
    assert len(tap.examples) > 5, f"{len(tap.examples)} examples"
    for example in tap.examples:
        example.execute()


def _capabilities(tap: TAPService) -> None:
    """Capabilities and limits."""
    assert tap.maxrec <= tap.hardlimit
    language = tap.get_tap_capability().languages[0]
    assert language.name == "ADQL"
    versions = {version.content for version in language.versions}
    assert versions >= {"2.0", "2.1"}, versions
    geometry = language.get_feature_list("ivo://ivoa.net/std/TAPRegExt#features-adqlgeo")
    forms = {feature.form for feature in geometry}
    assert forms >= {"POINT", "CIRCLE", "CONTAINS"}, forms


def _run_sync(tap: TAPService) -> None:
    """A synchronous query with its metadata."""
    result = tap.run_sync(QUERY)
    assert len(result) == 12
    assert result.query_status == "OK"
    assert result.getdesc("ra").unit == "deg"
    assert isinstance(result.getvalue("tilename", 0), str)


def _run_async(tap: TAPService) -> None:
    """An asynchronous query gives the rows of the synchronous one."""
    here, there = tap.run_sync(QUERY).to_table(), tap.run_async(QUERY).to_table()
    assert here.colnames == there.colnames
    assert list(here["coadd_object_id"]) == list(there["coadd_object_id"])


def _job(tap: TAPService) -> None:
    """A job, step by step."""
    job = tap.submit_job(QUERY, maxrec=5)
    assert job.phase == "PENDING"
    job.execution_duration = 120
    job.destruction = datetime.now(UTC) + timedelta(hours=1)
    assert job.execution_duration.value == 120, job.execution_duration
    assert job.query == QUERY
    job.run().wait(timeout=60)
    job.raise_if_error()
    assert job.uws_version == "1.1"
    assert [result.id_ for result in job.results] == ["result"]
    assert len(job.fetch_result()) == 5
    job.delete()


def _abort(tap: TAPService) -> None:
    """A job that runs is aborted."""
    job = tap.submit_job(LONG_QUERY).run()
    job.wait(phases={"EXECUTING"}, timeout=30)
    job.abort()
    assert job.phase == "ABORTED", job.phase
    job.delete()


def _list(tap: TAPService) -> None:
    """The list of jobs, filtered by phase, time and number."""
    start = datetime.now(UTC)
    jobs = [tap.submit_job(QUERY, runid=f"list {number}") for number in range(3)]
    ids = [job.job_id for job in jobs]
    jobs[0].run().wait(timeout=60)
    assert {entry.jobid for entry in tap.get_job_list(last=3)} == set(ids)
    assert ids[0] in {entry.jobid for entry in tap.get_job_list(phases=["COMPLETED"])}
    assert {entry.jobid for entry in tap.get_job_list(phases=["PENDING"], after=start)} >= set(ids[1:])
    assert {tap.get_job(job_id).phase for job_id in ids} == {"PENDING", "COMPLETED"}
    for job in jobs:
        job.delete()


def _refused_sync(tap: TAPService) -> None:
    """A wrong query is refused with words, at once."""
    _expect_words(lambda: tap.run_sync("SELECT colour FROM sim1.main"), "colour")


def _refused_async(tap: TAPService) -> None:
    """A wrong query is refused with words, as a job."""
    _expect_words(lambda: tap.run_async("SELECT colour FROM sim1.main"), "colour")


def _expect_words(ask: Callable[[], object], word: str) -> None:
    try:
        ask()
    except DALQueryError as error:
        assert word in str(error), f"no {word!r} in {error}"  # noqa: PT017  not a test of pytest
    else:
        raise AssertionError("no DALQueryError")


def _overflow(tap: TAPService) -> None:
    """A result cut short by the service's limit is told, and pyvo warns of it."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        result = tap.run_sync("SELECT a.ra FROM sim1.main AS a, sim1.tile_info AS b")
    assert len(result) == tap.maxrec
    assert result.query_status == "OVERFLOW", result.query_status
    assert [each.category for each in heard] == [DALOverflowWarning], heard


def _maxrec(tap: TAPService) -> None:
    """A result cut short by the client's own MAXREC is told, and pyvo does not warn of it."""
    result = tap.run_sync("SELECT ra FROM sim1.main", maxrec=10)
    assert len(result) == 10
    assert result.query_status == "OVERFLOW", result.query_status


def _exact(tap: TAPService) -> None:
    """A whole result of exactly MAXREC rows is no overflow."""
    assert tap.run_sync(QUERY, maxrec=12).query_status == "OK"


ACTS = (
    _tables,
    _one_table,
    _examples,
    _capabilities,
    _run_sync,
    _run_async,
    _job,
    _abort,
    _list,
    _refused_sync,
    _refused_async,
    _overflow,
    _maxrec,
    _exact,
)
"""What is done, each act named by its docstring."""
