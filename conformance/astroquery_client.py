"""astroquery's TapPlus: what works of it against a plain TAP service.

Left out, as they need what no standard knows: `search_async_jobs` and `remove_jobs` go to resources of TAP+,
`load_tables` and `load_table` want an attribute of TAP+ on every column (astropy/astroquery#1597, not to be
mended).
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator

import astroquery
from astroquery.utils.tap.core import TapPlus
from judgement import Judgement, Notebook
from service import Service

QUERY = "SELECT TOP 12 coadd_object_id, ra, dec, mag_auto_g, tilename FROM sim1.main ORDER BY coadd_object_id"


def judge(service: Service) -> Iterator[Judgement]:
    """One judgement of queries and jobs."""
    notebook = Notebook("astroquery TapPlus", astroquery.__version__)
    logging.getLogger("astroquery").setLevel(logging.WARNING)
    for act in ACTS:
        with notebook.check((act.__doc__ or "").rstrip(".")), contextlib.redirect_stdout(io.StringIO()):
            act(TapPlus(url=service.tap, verbose=False))
    yield notebook.judgement()


def _sync(tap: TapPlus) -> None:
    """A synchronous query."""
    assert len(tap.launch_job(QUERY).get_results()) == 12


def _sync_csv(tap: TapPlus) -> None:
    """A synchronous query answered as CSV."""
    assert len(tap.launch_job(QUERY, output_format="csv").get_results()) == 12


def _async(tap: TapPlus) -> None:
    """A job, which starts with its creation, and its entry in the list."""
    job = tap.launch_job_async(QUERY)
    assert len(job.get_results()) == 12
    assert job.get_phase(update=True) == "COMPLETED"
    assert job.jobid in {entry.jobid for entry in tap.list_async_jobs()}


def _in_background(tap: TapPlus) -> None:
    """A job that is waited for later, found again by its identifier."""
    job = tap.launch_job_async(QUERY, background=True)
    job.wait_for_job_end()
    found = tap.load_async_job(jobid=job.jobid)
    assert len(found.get_results()) == 12


def _created_only(tap: TapPlus) -> None:
    """A job that is created first, and started afterwards."""
    job = tap.launch_job_async(QUERY, autorun=False)
    assert job.get_phase(update=True) == "PENDING"
    job.start()
    assert len(job.get_results()) == 12


def _refused_sync(tap: TapPlus) -> None:
    """A wrong query is refused with words, at once."""
    _expect_words(tap, "launch_job")


def _refused_async(tap: TapPlus) -> None:
    """A wrong query is refused with words, as a job."""
    _expect_words(tap, "launch_job_async")


def _expect_words(tap: TapPlus, launch: str) -> None:
    try:
        getattr(tap, launch)("SELECT colour FROM sim1.main").get_results()
    except Exception as error:  # noqa: BLE001  the class depends on the way
        assert "colour" in str(error), f"{type(error).__name__}: {error}"  # noqa: PT017  not a test of pytest
    else:
        raise AssertionError("no error")


ACTS = (
    _sync,
    _sync_csv,
    _async,
    _in_background,
    _created_only,
    _refused_sync,
    _refused_async,
)
"""What is done, each act named by its docstring."""
