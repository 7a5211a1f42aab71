"""A description made from a data file loads that file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import yaml
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from loading import config_of, rows_of

from vo.errors import LoadError
from vo.load import describe, load_release

COLUMNS = {
    "ID": pa.array([1, 2], pa.int64()),
    "RAJ2000": pa.array([1.5, 2.5]),
    "DE_J2000": pa.array([-1.5, 2.25]),
    "flag": pa.array([True, False]),
    "when": pa.array(["2020-01-01", "2021-02-03T04:05:06"]),
    "what": pa.array(["a", "é"]),
}
KINDS = ["long", "double", "double", "boolean", "timestamp", "unicode"]


def _told(path: Path) -> list[dict[str, object]]:
    (release,) = yaml.safe_load_all(describe(path))
    return list(release["tables"][0]["columns"])


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_description_loads(suffix: str, tmp_path: Path) -> None:
    """Types are told from the values, the position from its names, and the whole can be loaded."""
    path = tmp_path / f"My stars{suffix}"
    table = pa.table(COLUMNS)
    if suffix == ".csv":
        pa.csv.write_csv(table, path)
    else:
        pq.write_table(table, path)
    assert [column["datatype"] for column in _told(path)] == KINDS
    (tmp_path / "release.yaml").write_text(describe(path), "utf-8")
    config = config_of(tmp_path / "data")
    loaded = load_release(tmp_path, config)
    found = rows_of(
        loaded, config, 'SELECT "ID", hpx29 IS NULL, year("when") FROM r.my_stars.my_stars ORDER BY 1'
    )
    assert found == [(1, False, 2020), (2, False, 2021)]


def test_fits_units(tmp_path: Path) -> None:
    """Units and arrays of a FITS table are kept, columns that cannot be read are left out."""
    columns = [
        fits.Column("flux", "3E", unit="Jy", array=np.zeros((2, 3))),
        fits.Column("heap", "PJ()", array=np.array([[1], [2, 3]], dtype=object)),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "t.fits")
    assert _told(tmp_path / "t.fits") == [
        {"name": "flux", "datatype": "float", "votable:arraysize": "3", "ivoa:unit": "Jy"}
    ]


def test_unknown_kind(tmp_path: Path) -> None:
    """A file of another kind is refused with the kinds that are known."""
    with pytest.raises(LoadError, match=r"t\.txt is not of a known kind: \.parquet"):
        describe(tmp_path / "t.txt")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), min_size=1, unique=True))
def test_any_names(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    """Whatever the columns are called, the description is YAML that says it."""
    path = tmp_path_factory.mktemp("names") / "t.parquet"
    pq.write_table(pa.table([[1]] * len(names), names=names), path)
    assert [column["name"] for column in _told(path)] == names
