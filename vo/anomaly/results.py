"""The results of a run as files: the table, the model, the summary, reasons and pictures."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numba
import numpy as np
import pyarrow as pa

from vo import __version__
from vo.anomaly.gallery import gallery
from vo.anomaly.models import MEDIA_TYPE as ARROW
from vo.anomaly.models import model_bytes
from vo.anomaly.outcome import LEVELS, Outcome
from vo.anomaly.reasons import reasons_of
from vo.anomaly.table import batches_of, columns_of
from vo.context import Context
from vo.result import Result
from vo.uws.job import JobResult
from vo.uws.run import Run
from vo.uws.sink import Sink
from vo.votable.document import Notes

_JSON, _PNG = "application/json", "image/png"


def deliver_all(
    outcome: Outcome, timings: Mapping[str, float], run: Run, context: Context, sink: Sink
) -> tuple[JobResult, ...]:
    """Write every result; the table is the first."""
    table = _table(outcome, run, context, sink)
    files: dict[JobResult, Callable[[], bytes | None]] = {
        JobResult("model", "model.arrow", ARROW): lambda: model_bytes(
            outcome.detector, outcome.plan.selection.asked
        ),
        JobResult("summary", "summary.json", _JSON): lambda: _json(summary(outcome, timings, run, context)),
        JobResult("explanations", "explanations.json", _JSON): lambda: _json(reasons_of(outcome, context)),
    }
    for name, picture in gallery(outcome, context).items():
        files[JobResult(name, f"{name}.png", _PNG)] = picture
    delivered = [table]
    for result, make in files.items():
        run.check()
        content = make()
        if content is not None:
            delivered.append(sink.deliver(result, iter([content]), tells_errors=False))
    return tuple(delivered)


def _table(outcome: Outcome, run: Run, context: Context, sink: Sink) -> JobResult:
    request, selection = outcome.plan.request, outcome.plan.selection
    maxrec = request.maxrec
    rows = outcome.ranked.top(maxrec + 1) if maxrec else iter(())
    batches = batches_of(rows, outcome.names, outcome.anomalies, outcome.reasons)
    with Result(columns_of(selection), batches, maxrec=maxrec or None) as result:
        result.overflow = maxrec == 0
        result.byte_limit = context.config.output_bytes or None
        run.reach_first_row()
        run.count(lambda: result.rows, total=min(maxrec, outcome.ranked.count))
        form = request.format
        delivered = sink.deliver(
            JobResult("result", f"result.{form.extension}", form.media_type),
            form.write(result, _notes(outcome, run, context)),
            tells_errors=form.tells_errors,
        )
    run.note(bytes=delivered.size, overflow=result.overflow)
    return delivered


def _notes(outcome: Outcome, run: Run, context: Context) -> Notes:
    return Notes(
        query=outcome.plan.request.query,
        title=context.config.title,
        requested=run.job.created,
        origin=context.database.catalog().origin(outcome.plan.schemas),
        extra=(("job", run.job.id), *((name, str(value)) for name, value in _settings(outcome).items())),
    )


def _settings(outcome: Outcome) -> dict[str, Any]:
    """The parameters as they were taken, by the names that clients send."""
    request, forest = outcome.plan.request, outcome.detector.forest.settings
    cut = {name.upper(): value for name, value in asdict(request.cut).items() if value is not None}
    return {
        "FEATURES": ", ".join(outcome.plan.selection.features),
        "ID": ", ".join(outcome.plan.selection.ids),
        **{name.upper(): value for name, value in asdict(forest).items()},
        "SCALING": str(outcome.detector.preparation.scaling),
        "MISSING": ", ".join(map(str, outcome.plan.missing)),
        **({"WEIGHT": request.weight.expression} if request.weight else {}),
        **cut,
    }


def summary(outcome: Outcome, timings: Mapping[str, float], run: Run, context: Context) -> dict[str, Any]:
    """What there is to say of all objects, and how it came about."""
    ranked, (low, high) = outcome.ranked, outcome.span
    return {
        "objects": ranked.count,
        "anomalies": outcome.anomalies,
        "repeated_ids": outcome.repeated_ids,
        "without_weight": outcome.weightless,
        "threshold": outcome.threshold,
        "score": {
            "least": low,
            "greatest": high,
            "quantiles": dict(zip(map(str, LEVELS), outcome.quantiles, strict=True)),
            "histogram": _histogram(outcome.histogram),
        },
        "parameters": _settings(outcome),
        "query": outcome.plan.request.query,
        "release": context.database.catalog().release,
        "timings_s": dict(timings),
        "shards": context.shards.workers(run.job),
        "versions": {
            "vo": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "numba": numba.__version__,
            "pyarrow": pa.__version__,
        },
    }


def _histogram(counts: np.ndarray) -> dict[str, Any]:
    """The steps from the first to the last that is not empty, of equal ones from 0 to 1."""
    first, last = np.flatnonzero(counts)[[0, -1]].tolist()
    return {"bins": len(counts), "first": first, "counts": counts[first : last + 1].tolist()}


def _json(content: Any) -> bytes:  # noqa: ANN401  whatever JSON can say
    return json.dumps(content, indent=1, ensure_ascii=False).encode()
