"""Results as a page: the first rows as a table, for people who look before they load."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from vo.catalog import Column
from vo.formats.blocks import Chunks, pieces
from vo.formats.format import cut_note, told
from vo.result import Result
from vo.votable.cells import cells_of, framed_rows, raw
from vo.votable.document import Notes
from vo.votable.tabledata import escaped

ROWS = 1_000
"""Rows that are shown; a browser grows slow with many more."""

_STYLE = (
    "body{font:15px/1.4 system-ui,sans-serif;margin:1rem}table{border-collapse:collapse}"
    "th,td{border:1px solid #8886;padding:.15rem .5rem;text-align:left;white-space:nowrap}"
    "thead th{position:sticky;top:0;background:Canvas}small{font-weight:normal;opacity:.75}"
    ".wide{overflow-x:auto}:root{color-scheme:light dark}"
)


def write(result: Result, notes: Notes) -> Chunks:
    """The whole page."""
    yield _head(result.columns, notes)
    frames = [(raw("<td>"), raw("</td>"))] * len(result.columns)
    frames[0] = (raw("<tr><td>"), frames[0][1])
    frames[-1] = (frames[-1][0], raw("</td></tr>\n"))
    encode = framed_rows([cells_of(column, escaped) for column in result.columns], frames)
    shown = 0
    try:
        for piece in pieces(result):
            yield encode(piece.slice(0, ROWS - shown))
            shown += min(piece.num_rows, ROWS - shown)
            if shown == ROWS:
                break
    except Exception as error:
        yield _tail(told(error))
        raise
    yield _tail(_remark(result, shown))


def _remark(result: Result, shown: int) -> str:
    if shown == ROWS:
        return f"These are the first {ROWS:,} rows; another format has them all."
    return cut_note(result) if result.overflow else f"{shown:,} rows."


def _head(columns: Sequence[Column], notes: Notes) -> bytes:
    title = escape(notes.title or "Result")
    query = f"<pre>{escape(notes.query)}</pre>" if notes.query else ""
    names = "".join(_heading(column) for column in columns)
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f'<body><main><h1>{title}</h1>{query}<div class="wide" tabindex="0"><table>'
        f"<thead><tr>{names}</tr></thead><tbody>\n"
    ).encode()


def _heading(column: Column) -> str:
    said = escape(" · ".join(filter(None, (column.description, column.ucd))), quote=True)
    unit = f"<br><small>{escape(column.unit)}</small>" if column.unit else ""
    return f'<th scope="col" title="{said}">{escape(column.name)}{unit}</th>'


def _tail(remark: str) -> bytes:
    return f"</tbody></table></div><p>{escape(remark)}</p></main></body></html>\n".encode()
