"""What the survey covers: MOCs read by mocpy and STILTS, maps by healpy, tables by votlint; errors."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import healpy
import mocpy
import numpy as np
import pyvo
from astropy.io import fits
from judgement import Judgement, Notebook
from lxml import etree
from service import Service
from taplint import run, stilts_commands, version
from votlint import EXCUSED, lint

TABLES: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "all tiles": ("/footprint/tiles", {"RESPONSEFORMAT": "votable/td"}),
    "tiles of a position": ("/footprint/tiles", {"POS": "POINT 0.2 -40.3", "RESPONSEFORMAT": "votable/td"}),
    "tiles of nothing": ("/footprint/tiles", {"POS": "CIRCLE 180 40 1"}),
    "tiles, MAXREC=0": ("/footprint/tiles", {"MAXREC": 0}),
    "a row with a MOC": ("/footprint/moc", {"RESPONSEFORMAT": "votable", "ORDER": 6}),
}
"""What a VOTable holds → path and parameters; votlint before 3.5 reads no outlines in binary rows."""

WRONG: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "a position that is none": ("/footprint/tiles", {"POS": "POINT 361 -95"}),
    "a circle of letters": ("/footprint/tiles", {"CIRCLE": "a b c"}),
    "an order that there is not": ("/footprint/moc", {"ORDER": 30}),
    "an operation without a MOC": ("/footprint/moc", {"OPERATION": "union"}),
    "a query that is broken": ("/footprint/moc", {"QUERY": "SELECT <ra> FROM &"}),
    "a value that there is not": ("/footprint/map", {"VALUE": "median(ra)"}),
    "a condition that is broken": ("/footprint/map", {"WHERE": "ra <"}),
    "a format that there is not": ("/footprint/map", {"RESPONSEFORMAT": "image/x-wax"}),
}
"""What is wrong with a request → path and parameters."""

FILES = {
    "/footprint/moc": ("UNIQ", "fits"),
    "/footprint/map": ("PIXEL", "fits"),
    "/footprint/tiles": ("outline", "votable"),
}
"""Path → a column of its table, and what STILTS calls the form."""

RESOURCES = ("tiles", "tiles/async", "moc", "map", "async")
ORDER = 7


def judge(service: Service) -> Iterator[Judgement]:
    """One judgement by our own rules and each reader of files, one by each STILTS there is."""
    notebook = Notebook("footprint", f"mocpy {mocpy.__version__}, healpy {healpy.__version__}")
    for act in ACTS:
        with notebook.check((act.__doc__ or "").rstrip(".")):
            act(service)
    for what, (path, params) in WRONG.items():
        with notebook.check(f"The error of {what}"):
            _error(service, path, params)
    yield notebook.judgement()
    for command in stilts_commands():
        if shutil.which(command[0]) is None:
            yield Judgement("stilts, footprint", not_run=f"there is no program {Path(command[0]).name}")
            continue
        notebook = Notebook("stilts, footprint", version(command), EXCUSED)
        for what, (path, params) in TABLES.items():
            with notebook.check(what):
                lint(command, what, _sent(service, path, params), notebook)
        for path, (column, name) in FILES.items():
            with notebook.check(f"The columns of {path}"):
                _read_by_stilts(command, _sent(service, path, {"ORDER": ORDER}), column, name)
        yield notebook.judgement()


def _sent(service: Service, path: str, params: Mapping[str, object]) -> bytes:
    answer = service.get(path, **params)
    assert answer.status_code == 200, f"status {answer.status_code}: {answer.text[:400]}"
    return answer.content


def _capabilities(service: Service) -> None:
    """The capabilities have each resource, where there is one."""
    document = etree.fromstring(service.read("/footprint/capabilities"))
    urls = {
        url.strip()
        for url in document.xpath("//interface[@xsi:type='vs:ParamHTTP']/accessURL/text()", namespaces=_XSI)
    }
    assert urls >= {f"{service.url}/footprint/{name}" for name in RESOURCES}, urls
    for url in urls - {f"{service.url}/footprint/tiles/async", f"{service.url}/footprint/async"}:
        service.read(url.removeprefix(service.url))


_XSI = {"xsi": "http://www.w3.org/2001/XMLSchema-instance"}


def _forms_of_a_moc(service: Service) -> None:
    """The three forms of a MOC are the same to mocpy, and hold every object of the catalogue."""
    asked = {"TABLE": "sim1.main", "ORDER": ORDER}
    forms = {
        form: _sent(service, "/footprint/moc", {**asked, "RESPONSEFORMAT": form})
        for form in ("json", "ascii")
    }
    found = [
        _moc(_sent(service, "/footprint/moc", asked)),
        mocpy.MOC.from_string(forms["json"].decode(), "json"),
        mocpy.MOC.from_string(forms["ascii"].decode(), "ascii"),
    ]
    assert found[0] == found[1] == found[2]
    lon, lat = _positions(service)
    assert found[0].contains_lonlat(lon, lat).all()
    cells = np.unique(healpy.ang2pix(2**ORDER, lon.value, lat.value, nest=True, lonlat=True))
    assert len(cells) == len(found[0].flatten())


def _operations(service: Service) -> None:
    """What is done with a MOC that is sent is what mocpy does."""
    ours = _moc(_sent(service, "/footprint/moc", {"ORDER": ORDER}))
    other = mocpy.MOC.from_string("3/560-575 4/2400-2450")
    for name, expected in (
        ("union", ours.union(other)),
        ("intersection", ours.intersection(other)),
        ("difference", ours.difference(other)),
    ):
        answer = service.post("/footprint/moc", ORDER=ORDER, OPERATION=name, MOC=other.to_string())
        assert _moc(answer.content) == expected, name


def _map(service: Service) -> None:
    """A map of counts has as many objects in each cell as healpy counts."""
    lon, lat = _positions(service)
    content = _sent(service, "/footprint/map", {"ORDER": ORDER})
    with tempfile.NamedTemporaryFile(suffix=".fits") as file:
        file.write(content)
        file.flush()
        sky, header = healpy.read_map(file.name, nest=None, h=True)
    assert dict(header)["ORDERING"] == "NESTED"
    cells = healpy.ang2pix(2**ORDER, lon.value, lat.value, nest=True, lonlat=True)
    counted = np.bincount(cells, minlength=12 * 4**ORDER)
    assert np.array_equal(np.where(sky == healpy.UNSEEN, 0, sky), counted)


def _checksums(service: Service) -> None:
    """The FITS files of MOC and map are whole, by their checksums where they have any."""
    for path in ("/footprint/moc", "/footprint/map"):
        with fits.open(io.BytesIO(_sent(service, path, {})), checksum=True) as hdus:
            hdus.verify("exception")


def _jobs(service: Service) -> None:
    """A job for a MOC gives what is given at once."""
    answer = service.post("/footprint/async", PRODUCT="moc", ORDER=ORDER, PHASE="RUN")
    job = answer.headers["location"].removeprefix(service.url)
    service.await_phase(job, "COMPLETED")
    assert _moc(service.read(f"{job}/results/moc")) == _moc(
        _sent(service, "/footprint/moc", {"ORDER": ORDER})
    )
    service.delete(job)


def _error(service: Service, path: str, params: Mapping[str, object]) -> None:
    """The status is one of the client's faults, and the document says what it is (DALI 1.1, 4.4)."""
    answer = service.get(path, **params)
    assert answer.status_code == 400, answer.status_code
    info = etree.fromstring(answer.content).find(
        ".//{*}RESOURCE[@type='results']/{*}INFO[@name='QUERY_STATUS']"
    )
    assert info is not None
    assert info.get("value") == "ERROR"
    assert (info.text or "").strip(), "the error is not explained"


def _read_by_stilts(command: list[str], content: bytes, column: str, form: str) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        answer = run([*command, "tpipe", f"in={file.name}", f"ifmt={form}", "omode=stats"])
    assert answer.returncode == 0, answer.stderr.strip()[-400:]
    assert column in answer.stdout, answer.stdout


def _moc(content: bytes) -> mocpy.MOC:
    with tempfile.NamedTemporaryFile(suffix=".fits") as file:
        file.write(content)
        file.flush()
        return mocpy.MOC.from_fits(file.name)


def _positions(service: Service) -> tuple[np.ndarray, np.ndarray]:
    table = (
        pyvo.dal.TAPService(service.tap).run_sync("SELECT ra, dec FROM sim1.main", maxrec=10**6).to_table()
    )
    return table["ra"].quantity, table["dec"].quantity


ACTS: tuple[Callable[[Service], None], ...] = (
    _capabilities,
    _forms_of_a_moc,
    _operations,
    _map,
    _checksums,
    _jobs,
)
"""What is done, each act named by its docstring."""
