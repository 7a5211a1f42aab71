"""A kind of job, as far as its clients see it; what runs it is the table in `vo.jobs`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vo.errors import VOError


@dataclass(frozen=True, slots=True)
class JobKind:
    """One resource of the service that makes jobs of kind `name`, which run on `lane`.

    `path` is that of the resource from the service's root: a job list, such as "/tap/async". `takes_files`:
    its parameters may come with files. `tell_error`: media type and document of the error of a job, where the
    standard of the service asks for a form; None: whatever the client prefers.
    """

    name: str
    path: str
    lane: str
    takes_files: bool = False
    tell_error: Callable[[VOError], tuple[str, bytes]] | None = None
