"""A cutout from its parameters to its bytes."""

from __future__ import annotations

from vo.context import Context
from vo.cutout.files import file_of
from vo.cutout.query import CutoutQuery, told_of
from vo.dali import Params
from vo.uws.job import JobResult
from vo.uws.report import Stage
from vo.uws.run import Run
from vo.uws.sink import Sink


def execute(run: Run, context: Context, sink: Sink) -> tuple[JobResult, ...]:
    """Judge, find, cut, send."""
    run.enter(Stage.PARSE)
    query = CutoutQuery.from_params(Params(run.job.parameters), context.images)
    run.enter(Stage.EXECUTE)
    cutout = query.found(context.images)
    made = file_of(cutout, context.open_images, context.config.cutout_pixels)
    run.enter(Stage.WRITE)
    result = JobResult("cutout", made.name, made.media_type, made.size)
    delivered = sink.deliver(result, made.blocks, tells_errors=False, headers=lambda: told_of(cutout))
    run.note(done=1, unit="files", total=1, bytes=delivered.size)
    return (delivered,)
