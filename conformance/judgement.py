"""What a judge found, and the notebook in which it writes while it looks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Judgement:
    """One line of the table of results.

    `checks` counts what was looked at; `remarks` are reports that are known and no fault of the service.
    """

    judge: str
    version: str = ""
    checks: int = 0
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    not_run: str | None = None

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found; a judge that could not run found nothing."""
        return not self.errors and not self.warnings


@dataclass(slots=True)
class Notebook:
    """The findings of a judge under way.

    `excused` names reports that are known and no fault of the service: a part of the text → what the results
    say of it.
    """

    judge: str
    version: str
    excused: Mapping[str, str] = field(default_factory=dict)
    checks: int = 0
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    remarks: dict[str, None] = field(default_factory=dict)

    @contextmanager
    def check(self, what: str) -> Iterator[None]:
        """One thing that is expected to succeed in silence: exceptions are errors, warnings are warnings."""
        self.checks += 1
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            warnings.simplefilter("ignore", ResourceWarning)  # sockets that clients leave to the collector
            try:
                yield
            except Exception as error:  # noqa: BLE001  whatever a client dies of is a finding
                self.error(f"{what}: {type(error).__name__}: {error}")
        for each in heard:
            self.warning(f"{what}: {each.category.__name__}: {each.message}")

    def error(self, text: str) -> None:
        """Write down an error, unless it is excused."""
        if not self._excuses(text):
            self.errors.append(text)

    def warning(self, text: str) -> None:
        """Write down a warning, unless it is excused."""
        if not self._excuses(text):
            self.warnings.append(text)

    def _excuses(self, text: str) -> bool:
        remarks = dict.fromkeys(remark for part, remark in self.excused.items() if part in text)
        self.remarks |= remarks
        return bool(remarks)

    def judgement(self) -> Judgement:
        """What was found in the end."""
        return Judgement(
            self.judge,
            self.version,
            self.checks,
            tuple(self.errors),
            tuple(self.warnings),
            tuple(self.remarks),
        )
