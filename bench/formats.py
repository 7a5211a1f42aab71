"""Writers beside one another: one million rows of twelve mixed columns with NULLs, on one core.

    python bench/formats.py [rows]

STILTS is timed as it is used: its start and the reading of its input (FITS) are in its figures.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from astropy.io.votable import from_table
from astropy.table import MaskedColumn, Table

try:
    import fitsio
except ImportError:  # it is timed where it is installed
    fitsio = None

from vo import formats
from vo.catalog import Column
from vo.result import Result, arrow_schema
from vo.votable import read_votable, warm_up
from vo.votable.document import Notes

COLUMNS = (
    Column("id", "long"),
    Column("ra", "double", unit="deg"),
    Column("dec", "double", unit="deg"),
    Column("flux", "double"),
    Column("mag", "float", unit="mag"),
    Column("mag_err", "float", unit="mag"),
    Column("n", "int"),
    Column("tile", "short"),
    Column("flags", "unsignedByte"),
    Column("star", "boolean"),
    Column("name", "char", "*"),
    Column("band", "char", "2"),
)
BATCH_ROWS = 8_192
ASTROPY_ROWS = 100_000  # astropy is timed on these and its time is scaled: it is linear


def make_batch(rows: int) -> pa.RecordBatch:
    """The same table each time; one value in twenty is NULL but for identifiers and positions."""
    random = np.random.default_rng(1)
    values = (
        10**15 + np.arange(rows),
        random.uniform(0, 360, rows),
        random.uniform(-90, 90, rows),
        random.lognormal(3, 4, rows),
        random.uniform(15, 25, rows).astype("f4"),
        random.uniform(0, 1, rows).astype("f4"),
        random.integers(-(10**6), 10**6, rows).astype("i4"),
        random.integers(0, 10_000, rows).astype("i2"),
        random.integers(0, 255, rows).astype("u1"),
        random.random(rows) < 0.5,
        np.char.mod("SIM J%09d", np.arange(rows)),
        np.array(["g", "r", "i", "z", "Y"])[random.integers(0, 5, rows)],
    )
    schema = arrow_schema(COLUMNS)
    arrays = [
        pa.array(value, field.type, mask=random.random(rows) < 0.05 if i > 2 else None)
        for i, (value, field) in enumerate(zip(values, schema, strict=True))
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def batches(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The table as a database hands it over."""
    for start in range(0, batch.num_rows, BATCH_ROWS):
        yield batch.slice(start, BATCH_ROWS)


def timed(work: Callable[[], int], repeats: int = 3) -> tuple[float, int]:
    """The best of some runs, in seconds, and the bytes that came out."""
    best, size = float("inf"), 0
    for _ in range(repeats):
        start = time.perf_counter()
        size = work()
        best = min(best, time.perf_counter() - start)
    return best, size


def ours(batch: pa.RecordBatch, name: str) -> int:
    """Bytes that our writer of that format makes."""
    return sum(map(len, formats.find(name).write(Result(COLUMNS, batches(batch)), Notes())))


def astropy_table(batch: pa.RecordBatch) -> Table:
    """The same table for astropy, masks for NULL."""
    table = Table()
    for column, array in zip(COLUMNS, batch.columns, strict=True):
        mask = array.is_null().to_numpy(zero_copy_only=False)
        missing = pa.scalar("" if column.is_string else 0).cast(array.type)
        values = array.fill_null(missing).to_numpy(zero_copy_only=False)
        table[column.name] = MaskedColumn(values.astype("U13") if column.is_string else values, mask=mask)
    return table


def astropy(table: Table, serialisation: str) -> int:
    """Bytes that astropy makes of a VOTable."""
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from_table(table).to_xml(out, tabledata_format=serialisation)
    return out.tell()


def stilts(source: Path, output_format: str) -> int:
    """Bytes that `stilts tcopy` makes of a FITS file."""
    target = source.with_suffix(".out")
    command = ["stilts", "tcopy", str(source), str(target), f"ofmt={output_format}"]
    subprocess.run(command, check=True, capture_output=True)
    return target.stat().st_size


def astropy_fits(table: Table) -> int:
    """Bytes that astropy makes of a FITS table."""
    out = io.BytesIO()
    table.filled().write(out, format="fits")
    return out.tell()


def fitsio_fits(columns: dict[str, np.ndarray], target: Path) -> int:
    """Bytes that fitsio writes; the conversion from Arrow is not in its figure."""
    fitsio.write(str(target), list(columns.values()), names=list(columns), clobber=True)
    return target.stat().st_size


def pyarrow_parquet(batch: pa.RecordBatch) -> int:
    """Bytes that Arrow's own writer of Parquet makes of the whole table at once."""
    out = io.BytesIO()
    pa.parquet.write_table(pa.Table.from_batches([batch]), out, compression="zstd")
    return out.tell()


def pyarrow_csv(batch: pa.RecordBatch) -> int:
    """Bytes that Arrow's own CSV writer makes."""
    out = io.BytesIO()
    pa.csv.write_csv(pa.Table.from_batches([batch]), out)
    return out.tell()


def reading(batch: pa.RecordBatch, name: str) -> Callable[[], int]:
    """A reader of what our writer made; its figure counts the bytes read."""
    document = b"".join(formats.find(name).write(Result(COLUMNS, batches(batch)), Notes()))

    def read() -> int:
        _, found = read_votable(io.BytesIO(document))
        assert sum(each.num_rows for each in found) == batch.num_rows
        return len(document)

    return read


def line(what: str, who: str, seconds: float, size: int, base: float) -> None:
    """One line of the report; `base` is our own time for the same work."""
    print(f"{what:12} {who:10} {seconds:8.2f} s {size / seconds / 1e6:8.0f} MB/s {seconds / base:8.1f} x")


def copied(batch: pa.RecordBatch) -> int:
    """Bytes of a plain copy of the columns in memory: what no writer can beat."""
    return sum(len(bytes(buffer)) for array in batch.columns for buffer in array.buffers() if buffer)


def peers(what: str, batch: pa.RecordBatch, table: Table, source: Path) -> Iterator[tuple[str, float, int]]:
    """Everybody else's time and bytes for the same format."""
    scale = batch.num_rows / len(table)
    if what in ASTROPY:
        seconds, size = timed(partial(astropy, table, ASTROPY[what]), 1)
        yield "astropy", seconds * scale, int(size * scale)
    if what in STILTS and source.exists():
        yield "stilts", *timed(partial(stilts, source, STILTS[what]))
    if what == "FITS":
        yield "astropy", *timed(partial(astropy_fits, astropy_table(batch)), 1)
        if fitsio is not None:
            filled = astropy_table(batch).filled().as_array()
            columns = {name: np.ascontiguousarray(filled[name]) for name in filled.dtype.names}
            columns = {
                name: each.astype("S") if each.dtype.kind == "U" else each for name, each in columns.items()
            }
            yield "fitsio", *timed(partial(fitsio_fits, columns, source.with_suffix(".fitsio")))
    if what == "CSV":
        yield "pyarrow", *timed(partial(pyarrow_csv, batch))
    if what == "Parquet":
        yield "pyarrow", *timed(partial(pyarrow_parquet, batch))


ASTROPY = {"BINARY2": "binary2", "TABLEDATA": "tabledata"}
STILTS = {
    "BINARY2": "votable-binary2-inline",
    "BINARY": "votable-binary-inline",
    "TABLEDATA": "votable-tabledata",
    "CSV": "csv",
    "FITS": "fits-basic",
}
OURS = {
    "BINARY2": "votable/b2",
    "BINARY": "votable/b",
    "TABLEDATA": "votable/td",
    "CSV": "csv",
    "FITS": "fits",
    "Parquet": "parquet",
    "Arrow": "arrow",
    "JSON": "json",
}


def main() -> None:
    """Time every writer and print a line each."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    batch = make_batch(rows)
    warm_up()
    table = astropy_table(batch.slice(0, min(rows, ASTROPY_ROWS)))
    seconds, size = timed(partial(copied, batch))
    line("copy", "memory", seconds, size, seconds)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "table.fits"
        if shutil.which("stilts"):
            astropy_table(batch).filled().write(source)
        for what, name in OURS.items():
            base, size = timed(partial(ours, batch, name))
            line(what, "vo", base, size, base)
            for who, seconds, size in peers(what, batch, table, source):
                line(what, who, seconds, size, base)
    for name in ("votable/b2", "votable/td"):
        seconds, size = timed(reading(batch, name))
        line(f"read {name[-2:]}", "vo", seconds, size, seconds)


if __name__ == "__main__":
    main()
