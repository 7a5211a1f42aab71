"""The way to a worker: a Celery queue a lane, whose messages say that there is work and not which.

Whose job is next is for the job store to say, when a worker has time for it.
"""

from __future__ import annotations

from celery import Celery
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

from vo.errors import TransientError
from vo.uws.job import Job

TASK = "vo.run_next"
"""The task that every worker knows; the web process sends its name and never imports its code."""


def celery_app(broker_url: str) -> Celery:
    """A Celery application on `broker_url`: names of lanes only, as JSON, with no result and no prefetching.

    Messages are acknowledged on arrival: a job whose worker dies is found by its lease, not by the broker,
    so that no job of any length is ever delivered twice by a visibility timeout.
    """
    app = Celery("vo", broker=_kombu_url(broker_url), set_as_current=False)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,  # a message taken by a busy worker would be kept from an idle one
        worker_proc_alive_timeout=60.0,  # a busy machine may take long to open the databases
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
    """Calls the workers of a lane, and tells how many calls wait there."""

    def __init__(self, app: Celery, state: Redis) -> None:
        self._app = app
        self._state = state

    def submit(self, job: Job) -> None:
        """Say that there is one more job on the lane; TransientError when the broker cannot be reached."""
        self.call(job.lane)

    def call(self, lane: str) -> None:
        """Have a worker take the next job of `lane`; a call too many does no harm."""
        try:
            self._app.send_task(TASK, args=[lane], queue=lane, retry=False)
        except (OperationalError, RedisError) as error:
            raise TransientError(
                "The job queue cannot be reached.", hint="The job was not started; try again in a moment."
            ) from error

    def depth(self, lane: str) -> int:
        """Calls waiting on a lane."""
        try:
            return int(self._state.llen(lane))
        except RedisError as error:
            raise TransientError("The job queue cannot be reached.") from error

    def close(self) -> None:
        """Give the connections back."""
        self._app.close()


def _kombu_url(url: str) -> str:
    """The broker's URL as kombu spells it: `unix:///path` becomes `redis+socket:///path`.

    >>> _kombu_url("unix:///run/vo/state.sock")
    'redis+socket:///run/vo/state.sock'
    """
    return "redis+socket" + url.removeprefix("unix") if url.startswith("unix:") else url
