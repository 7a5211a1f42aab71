"""The resources of models: kept, told of, fetched, scored with, and forgotten."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from vo.anomaly.models import MEDIA_TYPE
from vo.anomaly.scoring import Asked, scored
from vo.anomaly.shelf import Kept, Model, Shelf
from vo.auth import User, may_see, user_of
from vo.context import Context
from vo.dali import NOT_XML, Params, media_type_of, read_body, read_params, without_body
from vo.errors import NotFoundError, UsageError
from vo.images.cache import Recent
from vo.resources import context_of
from vo.uws.job import Phase, is_job_id

PATH = "/anomaly/models"

_AT_ONCE = 2
"""Requests that a web server scores at the same time; others wait for them."""

_LOADED = Recent[Kept](limit=1 << 28)
_NAME_LENGTH = 200
_MULTIPART = "multipart/form-data"


def routes() -> list[Route]:
    """Every route of models, from the root."""
    return [
        Route(PATH, show_models, methods=["GET"]),
        Route(PATH, keep_model, methods=["POST"]),
        Route(f"{PATH}/{{model_id}}", show_model, methods=["GET"]),
        Route(f"{PATH}/{{model_id}}", change_model, methods=["POST"]),
        Route(f"{PATH}/{{model_id}}", delete_model, methods=["DELETE"]),
        Route(f"{PATH}/{{model_id}}/file", show_file, methods=["GET"]),
        Route(f"{PATH}/{{model_id}}/score", score_rows, methods=["POST"]),
    ]


@dataclass(frozen=True, slots=True)
class _Call:
    """A request about models: who asks, and what is kept."""

    request: Request

    @property
    def context(self) -> Context:
        return context_of(self.request)

    @property
    def user(self) -> User:
        return user_of(self.request)

    @property
    def shelf(self) -> Shelf:
        return Shelf(self.context.config)

    async def model(self) -> Model:
        """The model that the path names, if the user may see it."""
        return await run_in_threadpool(self.shelf.get, self.request.path_params["model_id"], self.user)

    def told(self, model: Model) -> dict[str, Any]:
        """What is told of a model, with its addresses."""
        url = f"{self.context.base_url(self.request)}{PATH}/{model.id}"
        return {**model.told(), "url": url, "file": f"{url}/file", "score": f"{url}/score"}


async def show_models(request: Request) -> Response:
    """The models of who asks, the newest first."""
    call = _Call(request)
    models = await run_in_threadpool(call.shelf.all, call.user)
    return JSONResponse({"models": [call.told(model) for model in models]})


async def keep_model(request: Request) -> Response:
    """Keep the model of a job (JOB), or one that is sent as the file MODEL."""
    call = _Call(request)
    params = await read_params(request, file_bytes=call.context.config.model_bytes)
    with closing(params):
        content, origin = await run_in_threadpool(_sent, params, call)
    put = partial(
        call.shelf.put,
        content,
        call.user,
        name=_name(params),
        expires=params.instant("EXPIRES"),
        origin=origin,
    )
    model = await run_in_threadpool(put)
    return RedirectResponse(call.told(model)["url"], status_code=303)


async def show_model(request: Request) -> Response:
    """What is known of a model."""
    call = _Call(request)
    return JSONResponse(call.told(await call.model()))


async def change_model(request: Request) -> Response:
    """EXPIRES=time keeps a model until then; ACTION=DELETE is for those who cannot send DELETE."""
    call, params = _Call(request), await read_params(request)
    model, expires = await call.model(), params.instant("EXPIRES")
    if (params.single("ACTION") or "").upper() == "DELETE":
        return await delete_model(request)
    if expires is None:
        raise UsageError("A model takes EXPIRES=time or ACTION=DELETE.")
    model = await run_in_threadpool(call.shelf.keep_until, model, expires)
    return RedirectResponse(call.told(model)["url"], status_code=303)


async def delete_model(request: Request) -> Response:
    """Forget a model."""
    call = _Call(request)
    await run_in_threadpool(call.shelf.remove, await call.model())
    return RedirectResponse(f"{call.context.base_url(request)}{PATH}", status_code=303)


async def show_file(request: Request) -> Response:
    """The model itself."""
    call = _Call(request)
    model = await call.model()
    return FileResponse(call.shelf.file(model), media_type=MEDIA_TYPE, filename=f"{model.id}.arrow")


async def score_rows(request: Request) -> Response:
    """The scores of the rows in the body: VOTable, FITS, CSV, Parquet or JSON."""
    call = _Call(request)
    await call.model()
    media_type, params = media_type_of(request), without_body(request)
    if media_type == _MULTIPART:
        sent = await read_params(request, file_bytes=call.context.config.upload_bytes)
        with closing(sent):
            if len(sent.files) != 1:
                raise UsageError("Send one file with the rows.")
            media_type, content = sent.files[0].content_type, sent.files[0].content.read()
        params = Params(sent.pairs)
    else:
        content = await read_body(request, call.context.config.upload_bytes)
    asked = Asked.from_params(params, media_type)
    limiter = _limiter(request)
    work = partial(
        _answer, call.shelf, request.path_params["model_id"], call.user, content, media_type, asked
    )
    body = await to_thread.run_sync(work, limiter=limiter)
    return Response(body, headers={"content-type": asked.format.media_type, "cache-control": "no-store"})


def _answer(shelf: Shelf, model_id: str, user: User, content: bytes, media_type: str, asked: Asked) -> bytes:
    kept = _LOADED.get(model_id)
    if kept is None:
        kept = shelf.load(model_id, user)
        _LOADED.put(model_id, kept, 2 * kept.model.bytes)
    return b"".join(scored(content, media_type, asked, kept))


def _limiter(request: Request) -> CapacityLimiter:
    state = request.app.state
    if not hasattr(state, "scoring"):
        state.scoring = CapacityLimiter(_AT_ONCE)
    limiter: CapacityLimiter = state.scoring
    return limiter


def _name(params: Params) -> str:
    name = (params.single("NAME") or "").strip()
    if len(name) > _NAME_LENGTH or NOT_XML.search(name):
        raise UsageError(f"NAME must be printable and have up to {_NAME_LENGTH} characters.")
    return name


def _sent(params: Params, call: _Call) -> tuple[bytes, str | None]:
    """The bytes of a model: of a job of the same owner, or those that came along."""
    job_id, files = params.single("JOB"), [file for file in params.files if file.name.upper() == "MODEL"]
    if (job_id is None) == (len(files) != 1):
        raise UsageError("Send either JOB, a job that has completed, or one file MODEL.")
    if job_id is None:
        return files[0].content.read(), None
    job = call.context.store.get(job_id) if is_job_id(job_id) else None
    if job is None or not may_see(call.user, job) or job.phase is not Phase.COMPLETED:
        raise NotFoundError(f"There is no job {job_id[:40]!r} of yours that has completed.")
    for result in job.results:
        if result.id == "model":
            return call.context.results.path(job.id, job.attempt, result.name).read_bytes(), job.id
    raise NotFoundError(f"Job {job_id} has no model.")
