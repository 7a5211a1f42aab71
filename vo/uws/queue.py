"""The way of a job id to a worker: a Celery queue a lane."""

from __future__ import annotations

from celery import Celery
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

from vo.errors import TransientError
from vo.uws.job import Job

TASK = "vo.run_job"
"""The task that every worker knows; the web process sends its name and never imports its code."""


def celery_app(broker_url: str) -> Celery:
    """A Celery application on `broker_url`: ids only, as JSON, with no result and no prefetching.

    Messages are acknowledged on arrival: a job whose worker dies is found by its lease, not by the broker,
    so that no job of any length is ever delivered twice by a visibility timeout.
    """
    app = Celery("vo", broker=_kombu_url(broker_url), set_as_current=False)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={"socket_keepalive": True, "health_check_interval": 25},
        task_create_missing_queues=True,
        event_queue_prefix="vo",
    )
    return app


class JobQueue:
    """Sends jobs to their lanes and tells how many wait there."""

    def __init__(self, app: Celery, state: Redis) -> None:
        self._app = app
        self._state = state

    def submit(self, job: Job) -> None:
        """Put the id of `job` on its lane; TransientError when the broker cannot be reached."""
        try:
            self._app.send_task(TASK, args=[job.id], queue=job.lane, retry=False)
        except (OperationalError, RedisError) as error:
            raise TransientError(
                "The job queue cannot be reached.", hint="The job was not started; try again in a moment."
            ) from error

    def depth(self, lane: str) -> int:
        """Messages waiting on a lane."""
        return int(self._state.llen(lane))

    def close(self) -> None:
        """Give the connections back."""
        self._app.close()


def _kombu_url(url: str) -> str:
    """The broker's URL as kombu spells it: `unix:///path` becomes `redis+socket:///path`.

    >>> _kombu_url("unix:///run/vo/state.sock")
    'redis+socket:///run/vo/state.sock'
    """
    return "redis+socket" + url.removeprefix("unix") if url.startswith("unix:") else url
