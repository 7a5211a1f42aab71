"""The one tree of errors; each class knows its DALI word and its HTTP status.

VOError                      500  FatalFault
├── UsageError               400  UsageFault
│   ├── QueryError           400  UsageFault     problems in a query, each with its place
│   ├── TooCostlyError       400  UsageFault     a query that should be a job
│   ├── TooLargeError        413  UsageFault
│   ├── MultiValuedError     400  MultiValuedParamNotSupported (SODA 1.0, 5.2)
│   └── MethodError          405  UsageFault
├── ForbiddenError           403  UsageFault
├── NotFoundError            404  UsageFault
├── ConflictError            403  UsageFault     an illegal move of a job (UWS 1.1, 2.2.3)
├── TransientError           503  TransientFault come back later
│   ├── QueueFullError       503  TransientFault as many jobs wait on a lane as may
│   ├── QuotaError           429  TransientFault as many jobs of one owner wait as may
│   ├── RestartError         503  TransientFault the worker is being stopped; another will take the job
│   └── LeaseLostError       503  TransientFault the worker that held a job is gone
├── TimeLimitError           504  UsageFault     executionDuration is used up
├── CancelledError           499  UsageFault     the job was aborted or its client left
├── ReportedError            any  any            what a worker said of a job
├── ConfigError              500  FatalFault     the service is set up wrongly
├── ImageError               500  FatalFault     an image file that is broken, or not what it should be
└── LoadError                400  UsageFault     a release that cannot be loaded

The words are those of SIA 2.0 (3.2) and DataLink 1.1 (3.3); TAP and DALI name none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a query, with its place.

    `line` and `column` count from 1; `token` is the offending piece of the query as written;
    `rule` cites the standard ("ADQL 2.1, 2.2.3"); `suggestion` is a whole sentence.
    """

    message: str
    line: int | None = None
    column: int | None = None
    token: str | None = None
    rule: str | None = None
    suggestion: str | None = None

    def __str__(self) -> str:
        place = "" if self.line is None else f" at line {self.line}, column {self.column}"
        advice = "" if self.suggestion is None else f" {self.suggestion}"
        return f"{self.message}{place}.{advice}"

    def in_full(self) -> str:
        """All that is known of it, in a line.

        >>> Problem("There is no column x in t", 1, 8, "x", "ADQL 2.1, 2.1.3").in_full()
        "There is no column x in t at line 1, column 8. (token 'x'; ADQL 2.1, 2.1.3)"
        """
        token = None if self.token is None else f"token {self.token!r}"
        known = "; ".join(filter(None, (token, self.rule)))
        return f"{self} ({known})" if known else str(self)


class VOError(Exception):
    """A failure that a client may be told about: `message` is one line, `hint` says what to do next.

    `problems` are the single faults of a query; `retry_after_s` says when to come back, if that helps.
    """

    code: ClassVar[str] = "FatalFault"
    status: ClassVar[int] = 500
    problems: tuple[Problem, ...] = ()
    retry_after_s: int | None = None

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message} {self.hint}"


class UsageError(VOError):
    """The request itself is wrong."""

    code = "UsageFault"
    status = 400


class QueryError(UsageError):
    """A query that is not valid: all its problems at once, in the order of the text."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(" ".join(str(problem) for problem in problems))
        self.problems = problems


class TooCostlyError(UsageError):
    """A query that reads too much to be waited for.

    TAP and DALI name no status. 403 would make clients ask for a password, and 413 is about the request.
    """


class TooLargeError(UsageError):
    """More bytes, rows or tokens than the service takes."""

    status = 413


class MultiValuedError(UsageError):
    """Several values of a parameter where one file can be given, which is that of one value."""

    code = "MultiValuedParamNotSupported"


class MethodError(UsageError):
    """The resource exists and does not take this method."""

    status = 405


class ForbiddenError(VOError):
    """The resource exists and is someone else's."""

    code = "UsageFault"
    status = 403


class NotFoundError(VOError):
    """There is no such resource."""

    code = "UsageFault"
    status = 404


class ConflictError(VOError):
    """The move is not legal in the job's phase; nothing was changed (UWS 1.1, 2.2.3)."""

    code = "UsageFault"
    status = 403


class TransientError(VOError):
    """The service cannot do it now; `retry_after_s` says when to come back."""

    code = "TransientFault"
    status = 503

    def __init__(self, message: str, *, hint: str | None = None, retry_after_s: int = 10) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class QueueFullError(TransientError):
    """As many jobs wait on the lane as may."""


class QuotaError(TransientError):
    """As many jobs of one owner wait on the lane as may (RFC 6585, 4)."""

    status = 429


class RestartError(TransientError):
    """The worker that has the job is being stopped in good order."""


class LeaseLostError(TransientError):
    """The worker that held the job is gone."""


class TimeLimitError(VOError):
    """The job used up its executionDuration (UWS 1.1, 2.1.4)."""

    code = "UsageFault"
    status = 504


class CancelledError(VOError):
    """The job was aborted, or the client of a sync query left."""

    code = "UsageFault"
    status = 499


class ReportedError(VOError):
    """An error that happened in a worker, with the word and the status it had there."""

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int,
        problems: tuple[Problem, ...] = (),
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.problems = problems
        self.retry_after_s = retry_after_s
        self.code = code  # type: ignore[misc]  # here the instance knows, as the class was the worker's
        self.status = status  # type: ignore[misc]


class ConfigError(VOError):
    """The service is set up wrongly; the message names the setting and how to mend it."""


class ImageError(VOError):
    """An image file that cannot be used: missing, cut short, not FITS, without the image or WCS asked for."""


class LoadError(UsageError):
    """A release that cannot be loaded: the message names file, line or row, and column."""
