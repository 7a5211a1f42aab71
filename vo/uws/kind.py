"""A kind of job, as far as its clients see it; what runs it is the table in `vo.jobs`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JobKind:
    """One job list of the service: jobs of kind `name` live below `path` and run on `lane`.

    `path` is that of the list from the service's root, such as "/tap/async".
    """

    name: str
    path: str
    lane: str
