"""Cutouts of a table of positions: matched, ordered, cut, packed, and accounted for row by row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from vo.context import Context
from vo.cutout.archive import ARCHIVES, Entry
from vo.cutout.files import CutoutFile, file_of
from vo.cutout.manifest import FORMS, Line, document
from vo.cutout.plan import Failure, Matching, Plan, Task
from vo.cutout.positions import wanted_rows
from vo.cutout.query import bands_of, options_of, release_of
from vo.dali import Params
from vo.errors import ImageError, TooLargeError, UsageError, VOError
from vo.formats import find
from vo.log import logger
from vo.uws.job import JobResult
from vo.uws.report import Stage
from vo.uws.run import Run
from vo.uws.sink import Sink
from vo.votable.document import Notes

MOST_FILES = 200
"""Files that a job may leave side by side: each is a line of its document."""

_WAYS = (*ARCHIVES, "files")

log = logger(__name__)


def execute(run: Run, context: Context, sink: Sink) -> tuple[JobResult, ...]:
    """Read the table, match, cut, and tell of each row."""
    run.enter(Stage.PARSE)
    params, collection = Params(run.job.parameters), context.images
    way, release = _way(params), release_of(params)
    known = bands_of(collection, release)
    rows = wanted_rows(run, context)
    run.enter(Stage.EXECUTE)
    plan = Matching(collection, release, known, options_of(params), run.check).plan(rows)
    _check_size(plan, way, context.config.cutout_job_pixels)
    run.enter(Stage.WRITE)
    work = _Work(run, context, plan)
    run.count(lambda: work.done, unit="cutouts", total=len(plan.tasks))
    made = _as_files(work, sink) if way == "files" else (_as_archive(work, sink, way),)
    results = (*made, *_manifests(work, sink))
    run.note(bytes=sum(result.size or 0 for result in results))
    return results


def _way(params: Params) -> str:
    """How the files are wanted: RESULTS."""
    asked = (params.single("RESULTS") or "").strip().lower() or _WAYS[0]
    if asked not in _WAYS:
        raise UsageError(f"RESULTS {asked[:40]!r} is not known.", hint=f"Known are {', '.join(_WAYS)}.")
    return asked


def _check_size(plan: Plan, way: str, most_pixels: int) -> None:
    """TooLargeError before anything is cut."""
    if plan.pixels > most_pixels:
        raise TooLargeError(
            f"The cutouts have about {plan.pixels:,} pixels in all, and may have {most_pixels:,} in one job.",
            hint="Ask for less sky, fewer bands, or in parts.",
        )
    if way == "files" and len(plan.tasks) > MOST_FILES:
        raise TooLargeError(
            f"There would be {len(plan.tasks):,} files, and {MOST_FILES} may lie side by side.",
            hint=f"Send RESULTS={' or RESULTS='.join(ARCHIVES)}.",
        )


class _Work:
    """The cutouts of a job, made one after the other as they are taken, and the lines that tell of them."""

    def __init__(self, run: Run, context: Context, plan: Plan) -> None:
        self.run = run
        self.done = 0
        self._context = context
        self._plan = plan
        self._lines = [_failed(failure) for failure in plan.failures]
        self._names: set[str] = set()

    def files(self) -> Iterator[CutoutFile]:
        """Each cutout that can be made; of another the manifest tells why not."""
        for task in self._plan.tasks:
            self.run.check()
            made = self._made(task)
            if isinstance(made, CutoutFile):
                self._lines.append(_line(task, made))
                yield made
            else:
                self._lines.append(_failed(Failure(task.row, made, task.cutout.place.position)))
            self.done += 1

    def manifest(self, form: str) -> Entry:
        """All lines in the order of the table."""
        config, catalog = self._context.config, self._context.database.catalog()
        notes = Notes(
            title=config.title,
            requested=self.run.job.created,
            origin=catalog.origin(dict.fromkeys(line.release for line in self._lines if line.release)),
            extra=(("job", self.run.job.id),),
        )
        lines = sorted(self._lines, key=lambda line: line.row_number)
        layout, name = FORMS[form]
        return Entry(name, tuple(document(lines, layout, notes)))

    def _made(self, task: Task) -> CutoutFile | VOError:
        context = self._context
        try:
            made = file_of(task.cutout, context.open_images, context.config.cutout_pixels)
        except VOError as error:
            return error
        except Exception:  # what a broken file makes a reader raise is anybody's guess
            log.exception("a cutout failed unexpectedly", row=task.row.number)
            return ImageError("The image cannot be read.")
        return replace(made, name=self._name(f"{task.row.number:05}_{made.name}"))

    def _name(self, name: str) -> str:
        """A name that no other file has."""
        count, unique = 1, name
        while unique in self._names:
            count += 1
            unique = f"{name[:5]}-{count}{name[5:]}"
        self._names.add(unique)
        return unique


def _as_archive(work: _Work, sink: Sink, way: str) -> JobResult:
    """All cutouts in one file, and behind them the manifest."""
    media_type, packed = ARCHIVES[way]

    def entries() -> Iterator[Entry]:
        for made in work.files():
            yield Entry(made.name, made.blocks)
        for form in FORMS:
            yield work.manifest(form)

    result = JobResult("cutouts", f"cutouts.{way}", media_type)
    return sink.deliver(result, packed(entries(), work.run.job.created), tells_errors=False)


def _as_files(work: _Work, sink: Sink) -> tuple[JobResult, ...]:
    """Each cutout a result of its own."""
    return tuple(
        sink.deliver(JobResult(made.name, made.name, made.media_type), made.blocks, tells_errors=False)
        for made in work.files()
    )


def _manifests(work: _Work, sink: Sink) -> Iterator[JobResult]:
    for form, (layout, name) in FORMS.items():
        result = JobResult(form, name, find(layout).media_type)
        yield sink.deliver(result, work.manifest(form).blocks, tells_errors=False)


def _failed(failure: Failure) -> Line:
    ra, dec = failure.position or (None, None)
    return Line(
        failure.row.number,
        failure.row.object_id or None,
        ra,
        dec,
        status="unmatched" if failure.is_unmatched else "error",
        error=str(failure.error),
    )


def _line(task: Task, made: CutoutFile) -> Line:
    images = [piece.image for piece in made.pieces]
    boxes = [piece.box for piece in made.pieces]
    place, options = task.cutout.place, task.cutout.options
    return Line(
        task.row.number,
        task.row.object_id or None,
        *place.position,
        file=made.name,
        format=made.media_type,
        file_size=made.size,
        width=options.width,
        height=options.height,
        release=place.release,
        bands=" ".join(image.band or "-" for image in images),
        tiles=" ".join(image.tile or "-" for image in images),
        images=" ".join(image.obs_publisher_did for image in images),
        boxes=" ".join(f"[{box.left + 1}:{box.right},{box.bottom + 1}:{box.top}]" for box in boxes),
    )
