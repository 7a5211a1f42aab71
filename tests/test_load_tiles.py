"""`vo load tiles`: lists judged by name, merged by release; bad ones change nothing."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from vo.cli import main
from vo.errors import LoadError
from vo.load import load_tiles
from vo.sample import sample_tiles, write_tile_list

from loading import config_of  # isort: skip  a module of the tests

DES_TILES = Path(__file__).resolve().parents[2] / "shared/data/des-tiles"
FILE = "releases/tiles.duckdb"

Row = dict[str, str]


@pytest.fixture
def listed(tmp_path: Path) -> list[Row]:
    """The rows of the list of the sample."""
    write_tile_list(tmp_path / "listed.csv")
    with (tmp_path / "listed.csv").open() as lines:
        return list(csv.DictReader(lines))


def written(path: Path, rows: list[Row], separator: str = ",") -> Path:
    """The rows as a list."""
    with path.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, list(rows[0]), delimiter=separator)
        writer.writeheader()
        writer.writerows(rows)
    return path


def asked(data: Path, query: str) -> list[tuple[object, ...]]:
    """What a query finds in the file of tiles."""
    with duckdb.connect(str(data / FILE), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_releases_are_merged_and_replaced(tmp_path: Path, listed: list[Row]) -> None:
    """A second release stays beside the first; a list replaces that of its release."""
    data, source = tmp_path / "data", tmp_path / "tiles.csv"
    loaded = load_tiles(written(source, listed), config_of(data), release="one")
    assert (loaded.tiles, loaded.told_by) == (len(sample_tiles()), ())
    assert not any(loaded.remarks.values())
    load_tiles(written(source, listed[:5], ";"), config_of(data), release="two")
    load_tiles(written(source, listed[:3], "|"), config_of(data), release="two")
    counts = asked(data, "SELECT release, count(*) FROM footprint.tiles GROUP BY 1 ORDER BY 1")
    assert counts == [("one", len(sample_tiles())), ("two", 3)]
    cells = asked(data, "SELECT release, count(DISTINCT tilename) FROM footprint.hpx32 GROUP BY 1 ORDER BY 1")
    assert cells == counts
    assert asked(data, "SELECT min(unique_area), count(count_objects) FROM footprint.tiles")[0][1] == 0


def test_the_catalogue_tells_of_the_tiles(sample_data: Path) -> None:
    """Counts and depths are those of sim1.tile_info."""
    query = "SELECT tilename, count_objects, depth_g, depth_y FROM {} ORDER BY tilename"
    with duckdb.connect(str(sample_data / "releases/sim1.duckdb"), read_only=True) as connection:
        known = connection.execute(query.format("sim1.sim1.tile_info")).fetchall()
    assert asked(sample_data, query.format("footprint.tiles")) == known


def test_objects_are_counted_where_no_table_tells(
    sample_data: Path, tmp_path: Path, listed: list[Row]
) -> None:
    """Without tile_info, the rows of the table of objects are."""
    (tmp_path / "data/releases").mkdir(parents=True)
    release = tmp_path / "data/releases/sim1.duckdb"
    release.write_bytes((sample_data / "releases/sim1.duckdb").read_bytes())
    with duckdb.connect(str(release)) as connection:
        known = connection.execute(
            "SELECT tilename, count(*) FROM sim1.sim1.main GROUP BY 1 ORDER BY 1"
        ).fetchall()
        connection.execute(
            "UPDATE sim1.vo_meta.catalog SET json = replace(json, '\"tile_info\"', '\"gone\"')"
        )
        connection.execute(
            "UPDATE sim1.vo_meta.catalog SET json = replace(json, '\"count_objects\"', '\"n\"')"
        )
        connection.execute("UPDATE sim1.vo_meta.catalog SET json = replace(json, '\"depth_', '\"limit_')")
    loaded = load_tiles(written(tmp_path / "tiles.csv", listed), config_of(tmp_path / "data"))
    assert loaded.told_by == ("sim1.main",)
    found = asked(tmp_path / "data", "SELECT tilename, count_objects FROM footprint.tiles ORDER BY 1")
    assert [row for row in found if row[1] is not None] == known


def _set(row: int, **values: str) -> Callable[[list[Row]], None]:
    def change(rows: list[Row]) -> None:
        rows[row].update(values)

    return change


def _swap(row: int, *names: tuple[str, str]) -> Callable[[list[Row]], None]:
    def change(rows: list[Row]) -> None:
        for one, other in names:
            rows[row][one], rows[row][other] = rows[row][other], rows[row][one]

    return change


def _repeat(rows: list[Row]) -> None:
    rows.append(rows[7])


def _drop(name: str) -> Callable[[list[Row]], None]:
    def change(rows: list[Row]) -> None:
        for row in rows:
            del row[name]

    return change


BAD: dict[str, tuple[Callable[[list[Row]], None], str]] = {
    "RA 361": (_set(2, RA_CENT="361"), "Row 3 (DES2351-4123): ra_cent is 361, not between 0 and 360"),
    "Dec 91": (_set(2, DEC_CENT="91"), "dec_cent is 91, not between -90 and 90"),
    "NaN": (_set(2, DEC_CENT="nan"), "dec_cent is nan"),
    "no number": (_set(2, NAXIS1="many"), "row 3 (DES2351-4123), naxis1: the value is not a double"),
    "missing": (_set(2, PIXELSCALE=""), "Row 3 (DES2351-4123): pixelscale is nan"),
    "no name": (_set(2, TILENAME=""), "Row 3: '' cannot be the name of a tile"),
    "slash": (_set(2, TILENAME="a/b"), "'a/b' cannot be the name"),
    "twice": (_repeat, "is listed 2 times"),
    "far corner": (_set(2, RAUR="12.0"), "DES2351-4123: UR is "),
    "bow tie": (_swap(2, ("RAUL", "RALR"), ("DECUL", "DECLL")), "in their order do not go round it"),
    "huge": (_set(2, PIXELSCALE="30"), "DES2351-4123 would be 83.3333 degrees wide"),
    "empty area": (_swap(2, ("UDECLL", "UDECUR")), "DES2351-4123: its unique area ends before it begins"),
    "no centre": (_drop("RA_CENT"), "is not where the layout of DES has a tile"),
    "no form": (_drop("RALL"), ""),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_list_changes_nothing(tmp_path: Path, listed: list[Row], case: str) -> None:
    """Whatever is wrong is told by name, and what was published is published still."""
    data, source = tmp_path / "data", tmp_path / "tiles.csv"
    load_tiles(written(source, listed[:9]), config_of(data), release="one")
    before = (data / FILE).read_bytes()
    change, told = BAD[case]
    change(listed)
    if case == "no form":
        _drop("RA_CENT")(listed)
        told = "is no list of tiles"
    if case == "no centre":
        listed[4]["RALL"] = "77.0"
    with pytest.raises(LoadError) as caught:
        load_tiles(written(source, listed), config_of(data), release="one")
    assert told in str(caught.value)
    assert (data / FILE).read_bytes() == before


ODD: dict[str, tuple[Callable[[list[Row]], None], str, str]] = {
    "clockwise": (
        _swap(2, ("RAUL", "RALR"), ("DECUL", "DECLR")),
        "corners that run clockwise",
        "DES2351-4123",
    ),
    "overlap": (
        lambda rows: rows[2].update(URAUR=str(float(rows[2]["URAUR"]) + 0.01)),
        "overlaps of unique areas",
        "DES2351-4123 and DES2354-4123 share 0.01 degrees of RA by 0.71 of Dec",
    ),
    "gap": (
        lambda rows: rows[2].update(URAUR=str(float(rows[2]["URAUR"]) - 0.01)),
        "gaps between unique areas",
        "DES2351-4123 and DES2354-4123 leave out 0.01 degrees of RA",
    ),
    "gap in Dec": (
        lambda rows: rows[2].update(UDECUR=str(float(rows[2]["UDECUR"]) - 0.005)),
        "gaps between unique areas",
        "leave out 0.005 degrees of Dec",
    ),
    "reaches out": (
        lambda rows: rows[2].update(UDECLL=str(float(rows[2]["UDECLL"]) - 0.1)),
        "unique areas that reach out of their image",
        "DES2351-4123",
    ),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_tiles_are_told_and_taken(tmp_path: Path, listed: list[Row], case: str) -> None:
    """By kind and by name, in the summary too."""
    change, kind, told = ODD[case]
    change(listed)
    loaded = load_tiles(written(tmp_path / "tiles.csv", listed), config_of(tmp_path / "data"), release="one")
    assert any(told in each for each in loaded.remarks[kind])
    assert told in str(loaded)
    assert loaded.tiles == len(listed)


def test_the_command_says_what_it_did(
    tmp_path: Path, listed: list[Row], capsys: pytest.CaptureFixture[str]
) -> None:
    """With a release, which has to be named where there is none; and exit status 1 for what went wrong."""
    source = written(tmp_path / "tiles.csv", listed)
    assert main(["load", "tiles", str(source), "--data", str(tmp_path / "data")]) == 1
    assert "Which release do the tiles belong to?" in capsys.readouterr().err
    assert main(["load", "tiles", str(source), "--data", str(tmp_path / "data"), "--release", "one"]) == 0
    assert f"footprint.tiles: {len(listed)}" in capsys.readouterr().out
    assert main(["load", "tiles", str(tmp_path / "no.csv"), "--data", str(tmp_path), "--release", "one"]) == 1
    assert "There is no file" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "count"), [("y3a2_tiles.csv", 10_338), ("dr2_tiles.csv", 10_169)])
def test_the_lists_of_des_are_in_order(tmp_path: Path, name: str, count: int) -> None:
    """All their tiles are taken, and nothing is odd about them."""
    if not DES_TILES.exists():
        pytest.skip("the tile lists of DES are not here")
    loaded = load_tiles(DES_TILES / name, config_of(tmp_path), release="des")
    assert loaded.tiles == count
    assert not any(loaded.remarks.values())
    ((area, bounds),) = asked(tmp_path, "SELECT sum(unique_area), count(ura_min) FROM footprint.tiles")
    assert area == pytest.approx(5_270 if count > 10_200 else 5_182, abs=2)
    assert bounds == count
