"""The same rows reach the release file from every format of data file, in the order of the sky."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import cdshealpix.nested
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from astropy import units
from astropy.coordinates import Latitude, Longitude
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.table import MaskedColumn, Table
from loading import POSITION, config_of, load_catalogue, rows_of, write_stars

from vo.catalog import Catalog
from vo.load import load_release

DESCRIPTION = f"""\
name: mixed
tables:
  - name: things
    primaryKey: id
    columns:
      - {{name: id, datatype: long}}
{POSITION}\
      - {{name: mag, datatype: float}}
      - {{name: flags, datatype: short}}
      - {{name: count, datatype: int}}
      - {{name: good, datatype: boolean}}
      - {{name: name, datatype: unicode, length: 12}}
      - {{name: seen, datatype: timestamp}}
"""

ROWS: dict[str, list[Any]] = {
    "id": [1, 2, 2**62, 4],
    "ra": [350.0, 0.5, 120.25, None],
    "dec": [-89.5, 0.25, 45.0, 3.0],
    "mag": [17.5, None, float("inf"), -1.0],
    "flags": [0, -32768, None, 7],
    "count": [0, 40_000, 65_535, 1],
    "good": [True, False, None, True],
    "name": ["Sirius", None, "x, y", 'a "b"'],
    "seen": [
        datetime.fromisoformat("2020-02-29T12:30"),
        datetime.fromisoformat("1999-12-31T23:59:59.250"),
        None,
        None,
    ],
}


def _table() -> pa.Table:
    return pa.table(ROWS)


def _write_parquet(directory: Path) -> None:
    pq.write_table(_table(), directory / "things.parquet", row_group_size=2)


def _write_csv(directory: Path) -> None:
    pa.csv.write_csv(_table(), directory / "things.csv")


def _write_gzipped_csv(directory: Path) -> None:
    """Other separators, other order, other case, and columns that nobody described."""
    table = _table().append_column("more", pa.array([1, 2, 3, 4]))
    table = table.select(table.column_names[::-1]).rename_columns(
        [n.upper() for n in table.column_names[::-1]]
    )
    with gzip.open(directory / "things.csv.gz", "wb") as file:
        pa.csv.write_csv(table, file, pa.csv.WriteOptions(delimiter=";"))


def _write_fits(directory: Path) -> None:
    """TNULL, unsigned numbers, undefined truths, and texts padded in both ways."""
    good = np.array([b"T", b"F", b"\0", b"T"])
    seen = ["2020-02-29T12:30:00", "1999-12-31T23:59:59.25", "", ""]
    nan = float("nan")
    columns = [
        fits.Column("ID", "K", array=ROWS["id"]),
        fits.Column("RA", "D", array=[350.0, 0.5, 120.25, nan]),
        fits.Column("DEC", "D", array=ROWS["dec"]),
        fits.Column("mag", "E", array=[17.5, nan, float("inf"), -1.0]),
        fits.Column("flags", "J", null=-99, array=[0, -32768, -99, 7]),
        fits.Column("count", "I", bzero=32768, array=np.array(ROWS["count"], np.uint16)),
        fits.Column("good", "L", array=[True, False, False, True]),
        fits.Column("name", "12A", array=["Sirius  ", "", "x, y", 'a "b"']),
        fits.Column("seen", "24A", array=seen),
        fits.Column("heap", "PJ()", array=np.array([[1], [2, 3], [4], [5]], dtype=object)),
    ]
    path = directory / "things.fits"
    fits.BinTableHDU.from_columns(columns, name="other").writeto(path)
    with fits.open(path, mode="update") as file:
        start, width = file[1].fileinfo()["datLoc"], file[1].header["NAXIS1"]
        offset = file[1].data.dtype.fields["good"][1]
    raw = bytearray(path.read_bytes())
    raw[start + offset : start + 4 * width : width] = good.tobytes()
    path.write_bytes(raw)


def _write_votable(directory: Path, serialisation: str) -> None:
    """As astropy writes it; times are texts, and truths 0 and 1, as it writes bits in its own way."""
    masked = {name: [value is None for value in values] for name, values in ROWS.items()}
    filled = {
        name: [_BLANKS.get(name, 0) if value is None else value for value in values]
        for name, values in ROWS.items()
    }
    filled["seen"] = [value and value.isoformat() for value in filled["seen"]]
    table = Table([MaskedColumn(filled[n], mask=masked[n], name=n, dtype=_DTYPES.get(n)) for n in ROWS])
    votable = from_table(table)
    for field in votable.get_first_table().fields:
        if field.name in ("flags", "good"):
            field.values.null = -99  # BINARY has no other NULL for whole numbers
    votable.to_xml(str(directory / "things.vot"), tabledata_format=serialisation)


_BLANKS = {"name": "", "seen": ""}
_DTYPES = {"mag": np.float32, "flags": np.int32, "good": np.int16, "name": "U12"}

WRITERS: dict[str, Callable[[Path], None]] = {
    "parquet": _write_parquet,
    "csv": _write_csv,
    "csv.gz": _write_gzipped_csv,
    "fits": _write_fits,
    "tabledata": partial(_write_votable, serialisation="tabledata"),
    "binary": partial(_write_votable, serialisation="binary"),
    "binary2": partial(_write_votable, serialisation="binary2"),
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_rows_of_every_format(suffix: str, tmp_path: Path) -> None:
    """Values, NULLs, infinities and 64-bit numbers arrive as they were, whatever file they came in."""
    WRITERS[suffix](tmp_path)
    (tmp_path / "release.yaml").write_text(DESCRIPTION)
    config = config_of(tmp_path / "data")
    loaded = load_release(tmp_path, config)
    assert loaded.release == "mixed"
    assert loaded.tables == (("mixed.things", 4),)
    found = rows_of(loaded, config, f"SELECT {', '.join(ROWS)} FROM r.mixed.things ORDER BY id")
    expected = sorted(zip(*ROWS.values(), strict=True))
    if suffix in (
        "fits",
        "binary",
    ):  # NaN is a float's own value there; only for a position does it mean "none"
        assert [row[3] for row in found if row[0] == 2] == [pytest.approx(float("nan"), nan_ok=True)]
        found = [(*row[:3], None, *row[4:]) if row[0] == 2 else row for row in found]
    assert found == expected


@pytest.mark.parametrize("suffix", WRITERS)
def test_sky_index(suffix: str, tmp_path: Path) -> None:
    """Rows lie in the order of their cells, which are those of cdshealpix; no position, no cell."""
    WRITERS[suffix](tmp_path)
    (tmp_path / "release.yaml").write_text(DESCRIPTION)
    config = config_of(tmp_path / "data")
    loaded = load_release(tmp_path, config)
    found = rows_of(loaded, config, "SELECT ra, dec, hpx29, unit_x, unit_y, unit_z FROM r.mixed.things")
    assert found[-1] == (None, 3.0, None, None, None, None)
    ra, dec, cells, *vector = (np.array(column) for column in zip(*found[:-1], strict=True))
    assert list(cells) == sorted(cells)
    expected = cdshealpix.nested.lonlat_to_healpix(Longitude(ra, units.deg), Latitude(dec, units.deg), 29)
    assert list(cells) == list(expected)
    back = np.degrees(np.arctan2(vector[1], vector[0])) % 360, np.degrees(np.arcsin(vector[2]))
    assert np.allclose(back, (ra, dec), rtol=0, atol=1e-9)


def test_described_catalogue(tmp_path: Path) -> None:
    """The release file carries its own description: rows counted, position known, version new each time."""
    config = config_of(tmp_path / "data")
    releases = set()
    for _ in range(2):
        loaded = load_release(write_stars(tmp_path / "source"), config)
        [(json,)] = rows_of(loaded, config, "SELECT json FROM r.vo_meta.catalog")
        catalog = Catalog.from_json(json)
        releases.add(catalog.release)
    table = catalog.table("stars", "sky")
    assert table is not None
    assert (table.nrows, table.spatial is not None) == (6, True)
    assert [column.name for column in table.columns if column.indexed] == ["ra", "dec"]
    assert len(releases) == 2


def test_several_files_keep_their_order(tmp_path: Path) -> None:
    """A glob is read file by file; a table without position keeps the order of its rows."""
    for part in range(3):
        pq.write_table(pa.table({"n": [part * 10 + 2, part * 10 + 1]}), tmp_path / f"part-{part}.parquet")
    (tmp_path / "release.yaml").write_text(
        "name: parts\ntables:\n- name: t\n  data: part-*.parquet\n  columns:\n  - {name: n, datatype: int}\n"
    )
    config = config_of(tmp_path / "data")
    found = rows_of(load_release(tmp_path, config), config, "SELECT n FROM r.parts.t")
    assert found == [(2,), (1,), (12,), (11,), (22,), (21,)]


def test_empty_table(tmp_path: Path) -> None:
    """A header without rows is a table without rows."""
    (tmp_path / "release.yaml").write_text(DESCRIPTION)
    (tmp_path / "things.csv").write_text(",".join(ROWS) + "\n")
    assert load_release(tmp_path, config_of(tmp_path / "data")).tables == (("mixed.things", 0),)


ARRAYS = {
    "float[2]": ("float, votable:arraysize: 2", [[1.5, 2.5], None]),
    "int[*]": ("int, votable:arraysize: '*'", [[1, 2, 3], []]),
    "binary": ("binary", [b"\x00\xff", None]),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays(case: str, tmp_path: Path) -> None:
    """Arrays of a fixed and of any length are kept, and bytes become an array of bytes."""
    datatype, values = ARRAYS[case]
    pq.write_table(pa.table({"a": values}), tmp_path / "t.parquet")
    (tmp_path / "release.yaml").write_text(
        f"name: arrays\ntables:\n- name: t\n  columns:\n  - {{name: a, datatype: {datatype}}}\n"
    )
    config = config_of(tmp_path / "data")
    found = rows_of(load_release(tmp_path, config), config, "SELECT a FROM r.arrays.t")
    assert [None if cell is None else list(cell) for (cell,) in found] == [
        None if value is None else list(value) for value in values
    ]


REAL = {
    "hipparcos": (118_216, "SELECT vmag FROM r.hipparcos.stars WHERE name = 'Sirius'", -1.44),
    "redmapper": (26_111, "SELECT z_lambda FROM r.redmapper.clusters WHERE rmid = 1", 0.0948),
    "bright_galaxies": (
        1_000,
        "SELECT mag_auto_i_dered FROM r.bright_galaxies.galaxies WHERE coadd_object_id = 1290708188",
        12.3215,
    ),
}


@pytest.mark.parametrize("release", REAL)
def test_real_catalogue(release: str, tmp_path: Path) -> None:
    """Published catalogues load as they are."""
    count, sql, expected = REAL[release]
    loaded, config = load_catalogue(release, tmp_path)
    assert sum(rows for _, rows in loaded.tables) == count
    [(value,)] = rows_of(loaded, config, sql)
    assert value == pytest.approx(expected, abs=1e-4)
