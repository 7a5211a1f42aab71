"""MOCs and maps from their parameters to their bytes, the same for clients that wait and for jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from vo.adql import translate
from vo.context import Context
from vo.dali import Params
from vo.delivery import refuse_costly
from vo.errors import UsageError
from vo.footprint.gather import cells_covered, covered, place_of
from vo.footprint.map_cache import MapCache
from vo.footprint.map_request import MapRequest, judge
from vo.footprint.maps import map_of
from vo.footprint.moc_forms import form_named
from vo.footprint.moc_request import MocRequest
from vo.footprint.picture import PNG_TYPE, png
from vo.footprint.sky_map import SkyMap
from vo.result import Result, Statement
from vo.uws.files import reopened
from vo.uws.job import SYNC_LANE, JobResult
from vo.uws.report import Stage
from vo.uws.run import Run
from vo.uws.sink import Sink
from vo.votable.document import Notes

_BLOCK = 1 << 20
_WAY_OUT = "Send the same parameters to /footprint/async with PRODUCT."
_FORMS: Mapping[str, tuple[str, Callable[[SkyMap, MapRequest], bytes]]] = {
    "fits": ("application/fits", lambda sky, _: sky.to_fits()),
    "json": ("application/json", lambda sky, _: sky.to_json()),
    "png": (PNG_TYPE, lambda sky, request: png(sky, request.view)),
}


def execute_moc(run: Run, context: Context, sink: Sink) -> tuple[JobResult, ...]:
    """Judge, query, gather, combine, write."""
    run.enter(Stage.PARSE)
    with reopened(context.results, run.job) as files:
        params = Params(run.job.parameters, files)
        form = form_named(params.single("RESPONSEFORMAT"))
        catalog = context.database.catalog()
        request = MocRequest.from_params(params, catalog, context.config)
    statement = translate(request.query, catalog, dialect=context.database.dialect)
    place = None if request.by_cell else place_of(statement.columns)
    with _rows(statement, run, context) as rows:
        ours = (
            cells_covered(rows, request.order, run.check)
            if place is None
            else covered(place, rows, request.order, run.check)
        )
    run.enter(Stage.WRITE)
    notes = Notes(query=request.query, title=context.config.title, requested=run.job.created)
    body = form.write(request.combined(ours), notes)
    return (_delivered("moc", form.extension, form.media_type, body, sink),)


def execute_map(run: Run, context: Context, sink: Sink) -> tuple[JobResult, ...]:
    """Judge, find the map among those that were made or make it, draw, write."""
    run.enter(Stage.PARSE)
    catalog = context.database.catalog()
    request = MapRequest.from_params(Params(run.job.parameters), catalog, context.config)
    judge(request, catalog)
    cache = MapCache(context.config.maps_dir, context.config.map_cache_bytes)
    key = f"{catalog.release} {request.key}"
    sky = cache.get(key)
    if sky is None:
        statement = translate(request.query, catalog, dialect=context.database.dialect)
        with _rows(statement, run, context) as rows:
            sky = map_of(request, iter(rows), run.check)
        cache.put(key, sky)
    run.enter(Stage.WRITE)
    media_type, write = _FORMS[request.form]
    return (_delivered("map", request.form, media_type, write(sky, request), sink),)


_PRODUCTS = {"moc": execute_moc, "map": execute_map}


def execute(run: Run, context: Context, sink: Sink) -> tuple[JobResult, ...]:
    """A job for either, as PRODUCT says."""
    product = (Params(run.job.parameters).single("PRODUCT") or "").lower()
    if product not in _PRODUCTS:
        raise UsageError(f"PRODUCT must be {' or '.join(_PRODUCTS)}, not {product[:40]!r}.")
    return _PRODUCTS[product](run, context, sink)


def _rows(statement: Statement, run: Run, context: Context) -> Result:
    """The rows of a statement; a client that waits is refused what costs too much."""
    run.note(sql=statement.sql)
    if run.job.lane == SYNC_LANE:
        refuse_costly(statement, context.database, context.config, lambda: _WAY_OUT)
    run.enter(Stage.EXECUTE)
    result = context.database.stream(statement, on_start=run.on_start)
    run.count(lambda: result.rows)
    return result


def _delivered(name: str, extension: str, media_type: str, body: bytes, sink: Sink) -> JobResult:
    result = JobResult(name, f"{name}.{extension}", media_type, len(body))
    blocks = (body[start : start + _BLOCK] for start in range(0, len(body), _BLOCK))
    return sink.deliver(result, blocks, tells_errors=False)
