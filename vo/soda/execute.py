"""Cutouts from their parameters to their bytes: one for a client that waits, or any number as a job."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

from vo.context import Context
from vo.dali import Params
from vo.errors import ImageError, NotFoundError, UsageError, VOError
from vo.images.collection import ImageFile
from vo.images.stamp import stamp
from vo.soda.cuts import cuts_of, find_image, find_images, known_image, told_of
from vo.soda.errors import ERROR_TYPE, error_text
from vo.soda.query import Cutout, Request
from vo.uws.job import JobResult
from vo.uws.report import Stage
from vo.uws.run import Run
from vo.uws.sink import Sink

_UNSAFE = re.compile(r"[^A-Za-z0-9_+-]+")
_LONGEST_NAME = 60


def execute_sync(run: Run, context: Context, sink: Sink) -> tuple[JobResult, ...]:
    """Judge, find, cut, write; without a pixel there is no result (SODA 1.0, 5.1).

    The file is whole before it is sent: its length is known, parts of it can be had, and what is wrong with
    any of its planes has its own status.
    """
    run.enter(Stage.PARSE)
    cutout = Request.from_params(Params(run.job.parameters)).single()
    run.enter(Stage.EXECUTE)
    image = find_image(cutout.image_id, context)
    made = _made(cutout, image, "cutout", context)
    if made is None:
        return ()
    result, blocks = made
    whole = tuple(blocks)
    result = replace(result, size=sum(map(len, whole)))
    return (sink.deliver(result, whole, tells_errors=False, headers=partial(told_of, cutout, image)),)


def execute(run: Run, context: Context, sink: Sink) -> tuple[JobResult, ...]:
    """A result for each combination, be it a text that says what is wrong with it (SODA 1.0, 6)."""
    run.enter(Stage.PARSE)
    request = Request.from_params(Params(run.job.parameters))
    run.enter(Stage.EXECUTE)
    images = find_images(request.image_ids, context)
    results: list[JobResult] = []
    run.count(lambda: len(results), unit="cutouts", total=request.size)
    for cutout in request.cutouts():
        run.check()
        results.append(_result(cutout, images, f"cutout-{len(results) + 1}", context, sink))
    run.note(bytes=sum(result.size or 0 for result in results))
    return tuple(results)


def _result(
    cutout: Cutout, images: Mapping[str, ImageFile], result_id: str, context: Context, sink: Sink
) -> JobResult:
    """The file of one combination, or the text in its place; other combinations may be well all the same."""
    try:
        made = _made(cutout, known_image(cutout.image_id, images), result_id, context)
        if made is not None:
            return sink.deliver(*made, tells_errors=False)
    except (UsageError, NotFoundError, ImageError) as error:
        return _explain(error, result_id, sink)
    return _explain(UsageError(f"There are no pixels for {', '.join(cutout.terms)}."), result_id, sink)


def _explain(error: VOError, result_id: str, sink: Sink) -> JobResult:
    result = JobResult(result_id, f"{result_id}.txt", ERROR_TYPE)
    return sink.deliver(result, [error_text(error)[1]], tells_errors=False)


def _made(
    cutout: Cutout, image: ImageFile, result_id: str, context: Context
) -> tuple[JobResult, Iterator[bytes]] | None:
    """The file, to be written piece by piece; None where the image has nothing of it."""
    cuts, form = cuts_of(cutout, image, context), cutout.form
    if not cuts:
        return None
    result = JobResult(result_id, _file_name(image, result_id, packed=form.packed), form.media_type)
    return result, stamp(cuts, packed=form.packed, header_only=form.header_only)


def _file_name(image: ImageFile, result_id: str, *, packed: bool) -> str:
    """A name that says of which image it is."""
    stem = _UNSAFE.sub("_", image.file.name.partition(".")[0]).strip("_+-")[:_LONGEST_NAME]
    return f"{stem or 'image'}_{result_id}.fits{'.fz' if packed else ''}"
