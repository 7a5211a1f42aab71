"""Tables of what to cut out: positions or objects, perhaps with options of their own, in any kind of file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from vo.catalog import Column, nearest
from vo.context import Context
from vo.cutout.options import NAMES
from vo.dali import Params
from vo.errors import TooLargeError, UsageError
from vo.tablefiles.incoming import IncomingFile, incoming_file
from vo.uws.files import SENT
from vo.uws.run import Run

POSITIONS = "POSITIONS"
"""The parameter that holds the table, as a file or as text."""

ROW_OPTIONS = NAMES - {"BAND", "COLORS", "Q", "LOW", "HIGH", "MINIMUM", "STRETCH"}
"""The options that a row may have: not those whose names mean something else in catalogues."""

_RA, _DEC = ("ra", "raj2000", "ra_icrs", "_raj2000"), ("dec", "dej2000", "dec_icrs", "_dej2000", "decl")
_IDS = ("coadd_object_id", "object_id", "objid", "id")
_UCDS = {"RA": ("pos.eq.ra;meta.main", "pos.eq.ra"), "DEC": ("pos.eq.dec;meta.main", "pos.eq.dec")}
_MOST_COLUMNS = 2_000
_FORM = "Its first line names the columns: RA and DEC in degrees, or COADD_OBJECT_ID."


@dataclass(frozen=True, slots=True)
class Wanted:
    """A row of the table, counted from 1: texts as they were written, and the options that it has."""

    number: int
    ra: str
    dec: str
    object_id: str
    options: Mapping[str, str]


def wanted_rows(run: Run, context: Context) -> list[Wanted]:
    """The rows that came with the job; UsageError: there is no table, or it is none of positions."""
    with _table(run, context) as path:
        file = incoming_file(path)
        chosen = _chosen(file.columns)
        return list(_rows(file, chosen, run.check, context.config.cutout_positions))


@contextmanager
def _table(run: Run, context: Context) -> Iterator[Path]:
    """The one file that came along, or the text of POSITIONS as a file."""
    text = Params(run.job.parameters).single(POSITIONS)
    if len(run.job.files) + (text is not None) != 1:
        raise UsageError(
            "One table of positions is needed." if not run.job.files else "Several tables of positions came.",
            hint=f"Send it as the file {POSITIONS}, or as text in the parameter of that name.",
        )
    if text is None:
        yield context.results.path(run.job.id, SENT, run.job.files[0].name)
        return
    with tempfile.NamedTemporaryFile(prefix="vo-positions-", suffix=".csv") as copy:
        copy.write(text.strip().encode())
        copy.flush()
        yield Path(copy.name)


def _chosen(columns: Sequence[Column]) -> Mapping[str, int]:
    """What is read, by our own names, and the places of its columns."""
    if len(columns) > _MOST_COLUMNS:
        raise TooLargeError(f"The table has {len(columns):,} columns and may have {_MOST_COLUMNS:,}.")
    found: dict[str, int] = {}
    lowered = [column.name.strip().lower() for column in columns]
    for name, words in (("RA", _RA), ("DEC", _DEC), ("ID", _IDS)):
        places = [lowered.index(word) for word in words if word in lowered]
        places += [i for ucd in _UCDS.get(name, ()) for i, column in enumerate(columns) if column.ucd == ucd]
        if places:
            found[name] = places[0]
    if not ({"RA", "DEC"} <= found.keys() or "ID" in found):
        raise _no_positions([column.name for column in columns], found)
    if not {"RA", "DEC"} <= found.keys():
        found = {"ID": found["ID"]}
    found |= {name: i for i, column in enumerate(lowered) if (name := column.upper()) in ROW_OPTIONS}
    for place in found.values():
        if (count := lowered.count(lowered[place])) > 1:
            raise UsageError(
                f"The table has {count} columns {columns[place].name[:40]!r}.", hint="Leave one."
            )
    return found


def _no_positions(names: Sequence[str], found: Mapping[str, int]) -> UsageError:
    missing = next(name for name in ("RA", "DEC") if name not in found)
    close = nearest(missing, names, 1)
    guess = f"Should {close[0]} be {missing}? " if close else ""
    shown = ", ".join(name[:40] for name in names[:12])
    return UsageError(f"The table has no column {missing}, but {shown}.", hint=f"{guess}{_FORM}")


def _rows(
    file: IncomingFile, chosen: Mapping[str, int], check: Callable[[], None], most: int
) -> Iterator[Wanted]:
    number = 0
    for batch in file.batches():
        check()
        texts = {name: _texts(batch.column(place)) for name, place in chosen.items()}
        if number + batch.num_rows > most:
            raise TooLargeError(f"The table has more than {most:,} rows.", hint="Send it in parts.")
        for i in range(batch.num_rows):
            number += 1
            row = {name: values[i] for name, values in texts.items() if values[i]}
            ra, dec, object_id = (row.pop(name, "") for name in ("RA", "DEC", "ID"))
            yield Wanted(number, ra, dec, object_id, row)
    if not number:
        raise UsageError("The table has no rows.", hint=_FORM)


def _texts(values: pa.Array) -> list[str]:
    """Values as they are written; empty: there is none, or NaN."""
    return [_text(value) for value in values.to_pylist()]


def _text(value: object) -> str:
    """A value as text.

    >>> _text(61407409.0), _text(True), _text(None), _text(" g "), _text(float("nan"))
    ('61407409', 'true', '', 'g', '')
    """
    if value is None or value != value:  # noqa: PLR0124  NaN alone differs from itself
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value).strip()
