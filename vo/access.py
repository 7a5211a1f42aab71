"""A line in the log and a sample in the metrics for each request."""

from __future__ import annotations

from http import HTTPStatus
from time import perf_counter

from prometheus_client import CollectorRegistry, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import clear_contextvars

from vo.log import logger

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
"""The methods that are counted by name: a client may send any word for one."""

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Upper ends of the histogram of durations; WAIT and sync queries may take a minute."""

LONGEST_PATH = 300
"""Characters of a path that are logged."""

_UNANSWERED = 499
"""The status in log and metrics of a request whose client left before there was an answer."""

PROBES = frozenset({"/ready", "/alive"})
"""What machines ask every few seconds: logged only where the answer is no."""

log = logger(__name__)


class AccessLog:
    """Middleware around the whole application; `registry` takes what it counts.

    The query string is not logged: it holds what people search for, and may be long.
    """

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self._app = app
        self._seconds = Histogram(
            "vo_http_request_seconds",
            "Time from a request to the end of its answer.",
            ("method", "status"),
            buckets=BUCKETS_S,
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, then tell of it; endpoints bind the job that the request is about."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        clear_contextvars()
        answer = _Answer(send)
        began = perf_counter()
        try:
            await self._app(scope, receive, answer.send)
        finally:
            self._tell(scope, answer, perf_counter() - began)

    def _tell(self, scope: Scope, answer: _Answer, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._seconds.labels(method, str(answer.status)).observe(seconds)
        cut = {} if answer.is_whole else {"incomplete": True}
        is_news = scope["path"] not in PROBES or answer.status != HTTPStatus.OK
        tell = log.info if is_news else log.debug
        tell(
            "request",
            method=method,
            path=scope["path"][:LONGEST_PATH],
            status=answer.status,
            ms=round(1e3 * seconds, 1),
            bytes=answer.bytes,
            **cut,
        )


class _Answer:
    """What passes to the client, measured."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = _UNANSWERED
        self.bytes = 0
        self.is_whole = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self.bytes += len(message.get("body", b""))
            self.is_whole = not message.get("more_body", False)
        await self._send(message)
