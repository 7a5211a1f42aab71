"""The XML schemas of the IVOA: every XML document that the service emits."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from judgement import Judgement, Notebook
from lxml import etree
from service import LONG_QUERY, Service
from votables import requests

SCHEMAS = Path(__file__).resolve().parents[2] / "shared" / "xsd"
"""The schemas and the module that loads them without the network, beside the checkout."""

VOSI_PATHS = (
    "/tap/capabilities",
    "/tap/availability",
    "/tap/tables",
    "/tap/tables?detail=min",
    "/tap/tables?detail=max",
    "/tap/tables/sim1.main",
    "/tap/tables/TAP_SCHEMA.columns",
    "/scs/sim1.main/capabilities",
    "/scs/sim1.main/availability",
    "/sia/v1/capabilities",
    "/sia/v1/availability",
    "/sia/v2/capabilities",
    "/sia/v2/availability",
    "/soda/capabilities",
    "/soda/availability",
    "/footprint/capabilities",
    "/footprint/availability",
    "/footprint/tiles",
    "/datalink/capabilities",
    "/datalink/availability",
    "/datalink/links",
)

PAGES = ("/", "/tap", "/tap/examples", "/soda/examples", "/sia/v2/examples", "/footprint")
"""Pages for people, which are held to be well-formed XML."""


def judge(service: Service) -> Iterator[Judgement]:
    """One judgement of all documents."""
    name, version = "schemas of the IVOA", f"libxml2 {'.'.join(map(str, etree.LIBXML_VERSION))}"
    if not (SCHEMAS / "validate.py").exists():
        yield Judgement(name, not_run="there are no schemas in ../shared/xsd beside the checkout")
        return
    schema, notebook = _schema_loader().schema(), Notebook(name, version)
    for what, read in documents(service, notebook):
        with notebook.check(what):
            schema.assertValid(etree.fromstring(read()))
    for path in PAGES:
        with notebook.check(f"the page {path}"):
            etree.fromstring(service.read(path))
    yield notebook.judgement()


def _schema_loader() -> ModuleType:
    spec = spec_from_file_location("validate", SCHEMAS / "validate.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def documents(service: Service, notebook: Notebook) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Words for each document, and what reads it."""
    for path in VOSI_PATHS:
        yield path, partial(service.read, path)
    for request in requests():
        yield request.what, partial(request.send, service)
    with _jobs_in_every_phase(service, notebook) as jobs:
        for phase, job in jobs.items():
            for child in ("", "/parameters", "/results"):
                yield f"{child or '/job'} of a job {phase}", partial(service.read, job + child)
        yield "the error of a job", partial(service.read, f"{jobs['ERROR']}/error")
        for query in ("", "?PHASE=ERROR", "?LAST=1", "?AFTER=2100"):
            yield f"the list of jobs {query}", partial(service.read, f"/tap/async{query}")


@contextmanager
def _jobs_in_every_phase(service: Service, notebook: Notebook) -> Iterator[Mapping[str, str]]:
    """The path of one job for each phase; they are deleted in the end."""
    made: list[str] = []
    found: dict[str, str] = {}
    for phase, make in _MAKERS.items():
        with notebook.check(f"making a job {phase}"):
            made += make(service)
            service.await_phase(made[-1], phase)
            found[phase] = made[-1]
    try:
        yield found
    finally:
        for job in reversed(made):
            service.delete(job)


def _pending(service: Service) -> list[str]:
    """A job with every control and with text that XML cannot hold."""
    return [service.create("SELECT '\x01 < \x02' AS s", RUNID="a <run> & more", EXECUTIONDURATION="5")]


def _completed(service: Service) -> list[str]:
    return [service.create("SELECT TOP 5 ra FROM sim1.main", PHASE="RUN")]


def _failed(service: Service) -> list[str]:
    return [service.create("SELECT <ra> & more FROM sim1.main", PHASE="RUN")]


def _executing(service: Service) -> list[str]:
    return [service.create(LONG_QUERY, PHASE="RUN")]


def _queued(service: Service) -> list[str]:
    """More jobs than there are workers, the last of which has to wait."""
    return [service.create(LONG_QUERY, PHASE="RUN") for _ in range(4)]


def _aborted(service: Service) -> list[str]:
    job = service.create(LONG_QUERY, PHASE="RUN")
    service.post(f"{job}/phase", PHASE="ABORT")
    return [job]


_MAKERS = {
    "PENDING": _pending,
    "COMPLETED": _completed,
    "ERROR": _failed,
    "EXECUTING": _executing,
    "ABORTED": _aborted,
    "QUEUED": _queued,
}
"""Phase → what makes a job that comes to it."""
