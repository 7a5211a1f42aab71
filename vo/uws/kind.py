"""A kind of job, as far as its clients see it; what runs it is the table in `vo.jobs`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JobKind:
    """One resource of the service that makes jobs of kind `name`, which run on `lane`.

    `path` is that of the resource from the service's root: a job list, such as "/tap/async". `takes_files`:
    its parameters may come with files.
    """

    name: str
    path: str
    lane: str
    takes_files: bool = False
