"""The statement that a search becomes."""

from __future__ import annotations

from vo.adql import translate
from vo.db.base import Database
from vo.errors import QueryError, TooLargeError
from vo.log import logger
from vo.result import Statement

log = logger(__name__)


def statement_of(adql: str, database: Database, maxrec: int) -> Statement:
    """The statement of a query that was made here, and so can be wrong in nothing but its length."""
    try:
        return translate(adql, database.catalog(), dialect=database.dialect, maxrec=maxrec)
    except QueryError as error:
        log.info("a search is refused", reason=str(error))
        raise TooLargeError(
            "The search has too many values, or shapes with too many vertices.",
            hint="Send several requests.",
        ) from error
