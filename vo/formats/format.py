"""What a format of results is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from vo.errors import VOError
from vo.formats.blocks import Chunks, blocks
from vo.result import Result
from vo.votable.document import Notes


@dataclass(frozen=True, slots=True)
class Format:
    """One row of the table: how a result becomes bytes, and by which names it is asked for.

    `aliases` are further spellings, media types included; `standard_id` is that of TAPRegExt 1.0 (2.4);
    `tells_errors`: an error in mid-stream is told inside the document, which stays well-formed;
    `tells_overflow`: so is it that rows are missing.
    """

    media_type: str
    aliases: tuple[str, ...]
    extension: str
    description: str
    standard_id: str | None = None
    tells_errors: bool = False
    tells_overflow: bool = True
    writer: Callable[[Result, Notes], Chunks] = field(kw_only=True, repr=False, compare=False)

    def write(self, result: Result, notes: Notes) -> Chunks:
        """The document in blocks of 1 to 2 MiB, a small one first.

        An error of the result after the first byte is told in a document that has a place for it
        (VOTable has, CSV has not), and is raised again behind the last block.
        """
        return blocks(self.writer(result, notes))


def told(error: Exception) -> str:
    """What a client may read of an error: our own words, never those of a library."""
    return str(error) if isinstance(error, VOError) else "The service failed while it was writing the result."


def cut_note(result: Result) -> str:
    """What is said of a result that a limit cut."""
    by = "MAXREC" if result.rows == result.maxrec else f"{result.byte_limit:,} bytes at the most"
    return f"The table is cut at {result.rows} rows ({by}); there are more."
