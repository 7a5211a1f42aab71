"""A broken row is named with file, row, column and value, and nothing is loaded."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st
from loading import STAR_ROWS, STARS, config_of, rows_of, write_stars

from vo.catalog import Column
from vo.errors import LoadError
from vo.load import load_release
from vo.tablefiles.cast import BrokenValueError, converted

MAG = "{name: mag, datatype: float, ivoa:unit: mag}"
"""The line of STARS that the cases below replace."""

BROKEN: dict[str, tuple[str, dict[str, list[Any]], list[str]]] = {
    "RA 360": (MAG, {"ra": [0, 1, 2, 360.0, 4, 5]}, ["row 4", "column ra", "360.0", "[0, 360)"]),
    "RA -1": (MAG, {"ra": [-1.0, 1, 2, 3, 4, 5]}, ["row 1,", "column ra", "-1.0"]),
    "dec 91": (MAG, {"dec": [0, 1, 2, 3, 4, 90.5]}, ["row 6", "column dec", "90.5"]),
    "repeated key": (MAG, {"id": [1, 2, 3, 4, 2, 6]}, ["row 2", "row 5", "same primary key: id = 2"]),
    "NULL key": (MAG, {"id": [1, 2, 3, 4, 5, None]}, ["row 6", "column id", "NULL must not be NULL"]),
    "not nullable": (
        "{name: mag, datatype: float, nullable: false}",
        {},
        ["row 2", "column mag", "NULL must not be NULL"],
    ),
    "text": (MAG, {"mag": ["1", "2", "3", "x.5", "5", "6"]}, ["row 4", "column mag", "'x.5'", "a float"]),
    "float overflow": (MAG, {"mag": [1.0, 2, 3, 4, 1e300, 6]}, ["row 5", "mag", "1e+300", "a float"]),
    "short overflow": (
        "{name: mag, datatype: short}",
        {"mag": [1, 2, 32768, 4, 5, 6]},
        ["row 3", "32768", "is not a short"],
    ),
    "negative byte": (
        "{name: mag, datatype: byte}",
        {"mag": [1, -2, 3, 4, 5, 6]},
        ["row 2", "-2", "byte (0 to 255)"],
    ),
    "fraction": ("{name: mag, datatype: int}", {"mag": [1.0, 2.5, 3, 4, 5, 6]}, ["row 2", "2.5", "an int"]),
    "two is no boolean": (
        "{name: mag, datatype: boolean}",
        {"mag": [0, 1, 1, 0, 2, 1]},
        ["row 5", "2 is not a boolean"],
    ),
    "timestamp": (
        "{name: mag, datatype: timestamp}",
        {"mag": [None, "2020-02-30", None, "", None, None]},
        ["row 2", "'2020-02-30'", "ISO 8601"],
    ),
    "number as time": (
        "{name: mag, datatype: timestamp}",
        {"mag": [1, 2, 3, 4, 5, 6]},
        ["row 1,", "is not a timestamp"],
    ),
    "too long": (
        "{name: mag, datatype: string, length: 3}",
        {"mag": ["abc", "", None, "abcd", "e", "f"]},
        ["row 4", "'abcd' is longer than 3"],
    ),
    "not ASCII": (
        "{name: mag, datatype: string}",
        {"mag": ["a", "é", "", "", "", ""]},
        ["row 2", "'é'", "unicode"],
    ),
    "array length": (
        "{name: mag, datatype: int, votable:arraysize: 2}",
        {"mag": [[1, 2], [3], None, None, None, None]},
        ["row 2", "[3] is not an int array of size 2"],
    ),
    "array too long": (
        "{name: mag, datatype: int, votable:arraysize: 2*}",
        {"mag": [[1, 2], [3], [1, 2, 3], None, None, None]},
        ["row 3", "more than 2 elements"],
    ),
    "missing": ("{name: mog, datatype: int}", {}, ["stars.parquet has no column mog", "It has mag"]),
    "ambiguous": (
        "{name: Mag, datatype: int}",
        {"MAG": [1, 2, 3, 4, 5, 6]},
        ["stars.parquet has 2 columns of the name Mag"],
    ),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("before", [True, False])
def test_broken_row(case: str, before: bool, tmp_path: Path) -> None:  # noqa: FBT001  a parameter of pytest
    """The message says where and what; what was served before is untouched, and nothing is left over."""
    mag, columns, told = BROKEN[case]
    config = config_of(tmp_path / "data")
    if before:
        load_release(write_stars(tmp_path / "good"), config)
    old = {path: path.read_bytes() for path in config.releases_dir.glob("*.duckdb*")}
    source = write_stars(tmp_path / "bad", description=STARS.replace(MAG, mag), **columns)
    with pytest.raises(LoadError) as caught:
        load_release(source, config)
    assert [piece for piece in ["stars.parquet", *told] if piece not in str(caught.value)] == []
    assert {path: path.read_bytes() for path in config.releases_dir.glob("*.duckdb*")} == old


def test_row_numbers_go_on_through_batches(tmp_path: Path) -> None:
    """The row is that of the file, however far down it lies."""
    count = 200_000
    columns = {name: [values[0]] * count for name, values in STAR_ROWS.items()} | {"id": list(range(count))}
    columns["dec"] = [0.0] * 150_000 + [100.0] + [0.0] * (count - 150_001)
    source = tmp_path / "source"
    source.mkdir()
    (source / "release.yaml").write_text(STARS)
    pa.csv.write_csv(pa.table(columns), source / "stars.csv")
    with pytest.raises(LoadError, match=r"stars\.csv, row 150001, column dec: '100' is not a declination"):
        load_release(source, config_of(tmp_path / "data"))


CSV_FLAWS = {
    "a value too many": ("id,ra,dec,mag\n1,2,3,4\n1,2,3,4,5\n", "stars.csv, row 2, is not valid CSV"),
    "no header": ("", "has no header"),
    "a number that is none": ("id,ra,dec,mag\n1,2,3,4\n2,2,3,4 \n", "row 2, column mag: '4 ' is not a float"),
    "a fraction": ("id,ra,dec,mag\n1.0,2,3,4\n1.5,2,3,\n", "row 2, column id: '1.5' is not a long"),
    "not UTF-8": ("id,ra,dec,mag\n1,2,3,\xff\n", "stars.csv"),
}


@pytest.mark.parametrize("flaw", CSV_FLAWS)
def test_broken_csv(flaw: str, tmp_path: Path) -> None:
    """Lines that are no rows are named, like values that are no numbers."""
    text, message = CSV_FLAWS[flaw]
    (tmp_path / "release.yaml").write_text(STARS)
    (tmp_path / "stars.csv").write_text(text, encoding="latin-1")
    with pytest.raises(LoadError) as caught:
        load_release(tmp_path, config_of(tmp_path / "data"))
    assert message in str(caught.value)


def test_csv_spellings(tmp_path: Path) -> None:
    """NULL in its usual spellings, whole numbers written with .0, a byte order mark, CR LF."""
    (tmp_path / "release.yaml").write_text(STARS.replace("datatype: float", "datatype: int"))
    (tmp_path / "stars.csv").write_text(
        "\ufeffid,ra,dec,mag\r\n1,2,3,4.0\r\n2,NaN,3,NULL\r\n3,,,\\N\r\n4,1e1,-1.5,+5\r\n", encoding="utf-8"
    )
    config = config_of(tmp_path / "data")
    loaded = load_release(tmp_path, config)
    found = rows_of(loaded, config, "SELECT id, ra, mag FROM r.sky.stars ORDER BY id")
    assert found == [(1, 2.0, 4), (2, None, None), (3, None, None), (4, 10.0, 5)]


def _write_parquet(directory: Path) -> Path:
    pq.write_table(pa.table(STAR_ROWS), directory / "stars.parquet")
    return directory / "stars.parquet"


def _write_fits(directory: Path) -> Path:
    forms = {"id": "K", "ra": "D", "dec": "D", "mag": "E"}
    columns = [fits.Column(name, form, array=[0] * 600) for name, form in forms.items()]
    fits.BinTableHDU.from_columns(columns).writeto(directory / "stars.fits")
    return directory / "stars.fits"


def _write_votable(directory: Path, serialisation: str) -> Path:
    rows = {"id": list(range(300)), "ra": [1.0] * 300, "dec": [0.0] * 300, "mag": [1.5] * 300}
    from_table(Table(rows)).to_xml(str(directory / "stars.vot"), tabledata_format=serialisation)
    return directory / "stars.vot"


WRITERS = {
    "parquet": _write_parquet,
    "fits": _write_fits,
    "tabledata": partial(_write_votable, serialisation="tabledata"),
    "binary": partial(_write_votable, serialisation="binary"),
    "binary2": partial(_write_votable, serialisation="binary2"),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("kept", [0.05, 0.5, 0.9])
def test_truncated_file(write: Any, kept: float, tmp_path: Path) -> None:  # noqa: ANN401  a parameter of pytest
    """A file that was cut off is refused by name, wherever the cut is."""
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    (tmp_path / "release.yaml").write_text(STARS)
    with pytest.raises(LoadError, match=rf"{path.name} (is|has)"):
        load_release(tmp_path, config_of(tmp_path / "data"))
    assert not list((tmp_path / "data").rglob("*.tmp*"))


TIMES = {
    "2020-01-01": "2020-01-01 00:00:00",
    "2020-01-01T10:00:00.5Z": "2020-01-01 10:00:00.500000",
    "2020-01-01 10:00:00+02:00": "2020-01-01 08:00:00",
    "2020-01-01T10:00:00-0130": "2020-01-01 11:30:00",
}


def test_times_become_utc() -> None:
    """A time with an offset is kept as that moment in UTC, beside times without one."""
    column = Column("t", "char", "*", xtype="timestamp")
    values = converted(pa.array([*TIMES, None]), column).to_pylist()
    assert [str(value) for value in values] == [*TIMES.values(), "None"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | st.integers(-(2**40), 2**40) | st.floats(allow_subnormal=False), max_size=40))
def test_conversion_is_exact_or_refused(numbers: list[float | None]) -> None:
    """Doubles become ints of the same value, or the first that has none is named; NaN is NULL."""
    numbers = [None if number is None or math.isnan(number) else float(number) for number in numbers]
    column = Column("n", "int")
    array = pa.array([math.nan if number is None else number for number in numbers], pa.float64())
    broken = [index for index, number in enumerate(numbers) if number is not None and not _is_int(number)]
    if broken:
        with pytest.raises(BrokenValueError) as caught:
            converted(array, column)
        assert caught.value.index == broken[0]
    else:
        assert converted(array, column).to_pylist() == numbers


def _is_int(number: float) -> bool:
    return number.is_integer() and -(2**31) <= number < 2**31


FITS_FLAWS = {
    "no table": (fits.HDUList([fits.PrimaryHDU()]), "stars.fits has no binary table"),
    "heap": (
        fits.HDUList(
            [
                fits.PrimaryHDU(),
                fits.BinTableHDU.from_columns(
                    [fits.Column(name, "PJ()", array=[[1], [2, 3]]) for name in ("id", "ra", "dec", "mag")],
                    name="stars",
                ),
            ]
        ),
        "stars.fits: column id of TFORM PJ(2) cannot be read",
    ),
}


@pytest.mark.parametrize("flaw", FITS_FLAWS)
def test_fits_that_cannot_be_read(flaw: str, tmp_path: Path) -> None:
    """What a FITS file lacks, or has and we cannot read, is named."""
    hdus, message = FITS_FLAWS[flaw]
    hdus.writeto(tmp_path / "stars.fits")
    (tmp_path / "release.yaml").write_text(STARS)
    with pytest.raises(LoadError) as caught:
        load_release(tmp_path, config_of(tmp_path / "data"))
    assert message in str(caught.value)


def test_broken_votable(tmp_path: Path) -> None:
    """A cell that is not what its FIELD says is named with file, row and column."""
    path = _write_votable(tmp_path, "tabledata")
    path.write_text(path.read_text().replace("<TD>7</TD>", "<TD>seven</TD>", 1))
    (tmp_path / "release.yaml").write_text(STARS)
    with pytest.raises(LoadError, match=r"stars\.vot.* Row 8.*, column id: .*seven"):
        load_release(tmp_path, config_of(tmp_path / "data"))
