"""`vo load images`: what is published, that nothing is read twice, and look-ups of what was loaded."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from astropy.io import fits
from fits_images import coadd, header, pixels, write_image
from loading import config_of, write_stars

from vo.adql import translate
from vo.check import check
from vo.cli import main
from vo.config import Config
from vo.context import open_database
from vo.db.base import Database
from vo.errors import ConfigError, LoadError, NotFoundError, UsageError
from vo.images.collection import ImageCollection, ImageFile
from vo.images.tables import has_obscore
from vo.load import Progress, load_images, load_release
from vo.tap.schema import describe

TILES = {"DES0001-4000": (0.15, -40.0), "DES0002-4000": (0.5, -40.0), "DES2359-4000": (359.9, -40.0)}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Settings with six coadds below the image root: three tiles in two bands."""
    for tile, (ra, dec) in TILES.items():
        for band in ("g", "r"):
            cards = {"TILENAME": tile, "BAND": band, "EXPTIME": 90.0, "MJD-OBS": 57000.0}
            coadd(tmp_path / "data/images/one" / f"{tile}_{band}.fits.fz", "RICE_1", ra=ra, dec=dec, **cards)
    return config_of(tmp_path / "data")


@contextmanager
def opened(config: Config) -> Iterator[tuple[Database, ImageCollection]]:
    """The database, and the images in it."""
    with open_database(config, describe) as database:
        yield database, ImageCollection(database, config.images_root)


def rows(database: Database, query: str) -> list[dict[str, Any]]:
    """The rows of a query."""
    statement = translate(query, database.catalog())
    with database.stream(statement) as result:
        names = [column.name for column in statement.columns]
        return [row for batch in result for row in batch.rename_columns(names).to_pylist()]


def images_of(config: Config) -> list[ImageFile]:
    """Every image, found by its position."""
    with opened(config) as (_, images):
        return images.by_position(0.0, -40.0, radius=2.0)


def test_what_is_published(config: Config) -> None:
    """An image is a row of obscore with a region that ADQL can use, and one of the release with its file."""
    loaded = load_images(config.images_root, config, release="sky")
    assert (loaded.images, loaded.files_read, loaded.faults) == (6, 6, ())
    with opened(replace(config, base_url="https://sky.example/vo/")) as (database, images):
        assert has_obscore(database.catalog())
        found = rows(
            database,
            "SELECT * FROM ivoa.ObsCore WHERE 1 = CONTAINS(POINT(359.95, -39.9), s_region) ORDER BY s_ra",
        )
        assert [row["tile"] for row in found] == ["DES0001-4000"] * 2 + ["DES2359-4000"] * 2
        row = found[0]
        did = "ivo://vo.example/sky?one/DES0001-4000_" + row["band"]
        assert (row["obs_publisher_did"], row["calib_level"], row["release"]) == (did, 3, "sky")
        assert row["access_url"] == (
            "https://sky.example/vo/datalink/links?ID=ivo%3A%2F%2Fvo.example%2Fsky%3Fone%2FDES0001-4000_"
            + row["band"]
        )
        assert row["t_max"] == pytest.approx(57000 + 90 / 86400)
        (image,) = images.by_ids([did.upper(), "ivo://vo.example/sky?none", "it's", "\0", "x" * 9999])
        assert image.file == config.images_root / "one" / f"DES0001-4000_{row['band']}.fits.fz"
        assert (image.hdu, image.mask_hdu, image.weight_hdu) == (1, 2, 3)


def test_links_are_whole_wherever_they_stand(config: Config) -> None:
    """The service's URL is in front of access_url in conditions, groups, sub-queries and aggregates."""
    load_images(config.images_root, config, release="sky")
    with opened(replace(config, base_url="https://it's.example")) as (database, _):
        for query in (
            "SELECT access_url FROM ivoa.obscore WHERE access_url LIKE 'https://it''s.example/datalink/%'",
            "SELECT access_url FROM (SELECT access_url FROM ivoa.obscore) AS s ORDER BY access_url",
            "SELECT access_url, COUNT(*) AS n FROM ivoa.obscore GROUP BY access_url ORDER BY n",
            "WITH w AS (SELECT DISTINCT access_url, band FROM ivoa.obscore) SELECT access_url FROM w",
            "SELECT access_url FROM ivoa.obscore AS a JOIN ivoa.obscore AS b USING (access_url)",
        ):
            found = rows(database, query)
            assert len(found) == 6, query
            assert all(
                row["access_url"].startswith("https://it's.example/datalink/links?ID=ivo%3A") for row in found
            )
        assert (
            translate("SELECT access_url FROM ivoa.obscore", database.catalog()).columns[0].ucd
            == "meta.ref.url"
        )


def test_positions(config: Config) -> None:
    """Images are found by position and circle across RA 0, the most central first; by band; by tile."""
    load_images(config.images_root, config, release="sky")
    with opened(config) as (_, images):
        names = [(image.tile, image.band) for image in images.by_position(0.3, -40.0, bands=["g"])]
        assert names == [("DES0001-4000", "g"), ("DES0002-4000", "g")]
        assert not images.by_position(1.2, -40.0)
        (near,) = images.by_position(1.2, -40.0, radius=0.4, bands=["r", "no\nband"], release="SKY")
        assert near.tile == "DES0002-4000"
        assert len(images.by_position(-0.05, -40.0)) == 4
        assert [image.band for image in images.by_tile("DES2359-4000", bands=["r"])] == ["r"]
        assert not images.by_tile("DES2359-4000' OR '1'='1")
        assert not images.by_tile("DES2359-4000", bands=["x"])
        with pytest.raises(NotFoundError):
            images.by_tile("DES2359-4000", release="other")
        for wrong in ((float("nan"), 0.0), (0.0, 91.0), (0.0, float("nan"))):
            with pytest.raises(UsageError):
                images.by_position(*wrong)
        with pytest.raises(UsageError):
            images.by_position(0.0, 0.0, radius=-1.0)


def test_many_positions_at_once(config: Config) -> None:
    """Thousands of positions find what each would find alone, in the same order."""
    load_images(config.images_root, config, release="sky")
    rng = np.random.default_rng(2)
    lon = np.concatenate([rng.uniform(-0.4, 0.9, 60) % 360, [0.2, np.nan, 0.2]])
    lat = np.concatenate([rng.uniform(-40.2, -39.8, 60), [91.0, -40.0, np.inf]])
    with opened(config) as (_, images):
        found = images.by_positions(pa.array(lon), pa.array(lat), bands=["g"], release="sky")
        one_by_one = [images.by_position(x, y, bands=["g"]) for x, y in zip(lon[:60], lat[:60], strict=True)]
        assert found == [*one_by_one, [], [], []]
        assert {len(each) for each in one_by_one} == {0, 1, 2}
        assert images.by_positions(pa.array([None], pa.float64()), pa.array([1.0])) == [[]]
        assert images.by_positions(pa.array([], pa.float64()), pa.array([], pa.float64())) == []


def test_links_out_of_the_root(config: Config, tmp_path: Path) -> None:
    """A file that was replaced by a link out of the image root is not handed out."""
    load_images(config.images_root, config, release="sky")
    path = config.images_root / "one/DES0001-4000_g.fits.fz"
    path.rename(tmp_path / "elsewhere.fits.fz")
    path.symlink_to(tmp_path / "elsewhere.fits.fz")
    with opened(config) as (_, images), pytest.raises(NotFoundError, match="not below the image root"):
        images.by_tile("DES0001-4000")


def test_nothing_is_read_twice(config: Config) -> None:
    """A second load reads new and changed files alone, and forgets those that are gone."""
    seen: list[Progress] = []
    load_images(config.images_root, config, release="sky", report=seen.append)
    assert [(step.rows, step.total, step.unit) for step in seen] == [(i, 6, "files") for i in range(1, 7)]
    before = images_of(config)
    again = load_images(config.images_root, config, release="sky")
    assert (again.images, again.files_read, again.files_unchanged) == (6, 0, 6)
    assert images_of(config) == before
    one = config.images_root / "one"
    (one / "DES0001-4000_g.fits.fz").unlink()
    os.utime(one / "DES0001-4000_r.fits.fz", (time.time(), 1_000_000_000.25))
    write_image(one / "new.fits", ra=0.1)
    third = load_images(config.images_root, config, release="sky")
    assert (third.images, third.files_read, third.files_unchanged) == (6, 2, 4)
    assert {image.path for image in images_of(config)} ^ {image.path for image in before} == {
        "one/DES0001-4000_g.fits.fz",
        "one/new.fits",
    }
    renamed = load_images(config.images_root, config, release="sky", collection="deep")
    assert (renamed.files_read, renamed.files_unchanged) == (6, 0)
    assert {image.obs_collection for image in images_of(config)} == {"deep"}


def test_directories_and_releases_beside_each_other(config: Config) -> None:
    """A directory is replaced alone; releases keep their images; a catalogue keeps its own file."""
    load_release(write_stars(config.data_dir / "source"), config)
    load_images(config.images_root / "one", config)  # the only release there is
    write_image(config.images_root / "two/x.fits", ra=0.2)
    load_images(config.images_root / "two", config, release="sky")
    load_images(config.images_root / "two", config, release="other")
    assert sorted({(image.release, image.path[:3]) for image in images_of(config)}) == [
        ("other", "two"),
        ("sky", "one"),
        ("sky", "two"),
    ]
    load_release(write_stars(config.data_dir / "source"), config)  # the schema is that of the images, too
    with opened(config) as (database, _):
        assert len(rows(database, "SELECT * FROM sky.stars")) == 6
        assert len(rows(database, "SELECT * FROM sky.images")) == 7
        assert len(rows(database, "SELECT * FROM ivoa.obscore")) == 8


def test_refusals(config: Config, tmp_path: Path) -> None:
    """What cannot be loaded is told, and what was published stays."""
    load_images(config.images_root, config, release="sky")
    (tmp_path / "data/images/empty").mkdir()
    write_image(config.images_root / "case/A.fits")
    write_image(config.images_root / "case/a.fits")
    for directory, options, reason in (
        (config.images_root / "one", {"release": "no name"}, "cannot be called"),
        (config.images_root / "one", {"release": "images"}, "cannot be called"),
        (config.images_root / "one", {"release": "sky", "collection": "a/b?c"}, "cannot be called"),
        (config.images_root / "one", {}, "Which release"),
        (config.images_root / "empty", {"release": "new"}, "no image"),
        (config.images_root / "case", {"release": "new"}, "the same identifier"),
        (tmp_path, {"release": "new"}, "not below the image root"),
        (tmp_path / "nowhere", {"release": "new"}, "not a directory"),
    ):
        with pytest.raises(LoadError, match=reason):
            load_images(directory, config, **options)
    assert len(images_of(config)) == 6
    described = "name: sky\ntables:\n  - {name: images, columns: [{name: id, datatype: long}]}\n"
    with pytest.raises(LoadError, match=r"sky.images is served from images.duckdb already"):
        load_release(write_stars(tmp_path / "source", description=described), config)


def test_the_command(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Faults are told by name and show in the exit status; the rest is published."""
    monkeypatch.setenv("VO_IMAGES_DIR", str(config.images_root))
    (config.images_root / "one/half.fits").write_bytes(b"SIMPLE")
    arguments = ["load", "images", str(config.images_root), "--data", str(config.data_dir)]
    assert main([*arguments, "--release", "sky", "--no-checksums"]) == 1
    told = capsys.readouterr()
    assert "sky.images: 6 images; 7 files read" in told.out
    assert "left out: one/half.fits: cannot be read as FITS" in told.out
    assert "1 files or images were left out" in told.err
    (config.images_root / "one/half.fits").unlink()
    assert main([*arguments, "--release", "sky"]) == 0
    assert "6 files read" in capsys.readouterr().out  # the checksums were missing
    assert all((image.checksum or "").startswith("sha256:") for image in images_of(config))


def test_missing_files_are_seen_by_check(config: Config) -> None:
    """`vo check` counts the images, and tells of files that are not where they are published to be."""
    load_images(config.images_root, config, release="sky")
    assert f"ok    images: 6 images below {config.images_root}" in list(check(config))
    lines: list[str] = []
    with pytest.raises(ConfigError, match="Not in order: images"):
        lines.extend(check(replace(config, images_dir=str(config.data_dir))))
    assert any("FAULT images" in line and "5 other files" in line for line in lines)


def test_a_file_of_many_images(config: Config) -> None:
    """Of a mosaic each image has its own identifier."""
    hdus = [fits.ImageHDU(pixels(), header(ra), name=name) for name, ra in (("N1", 0.1), ("N2", 0.2))]
    write_image(config.images_root / "mosaic.fits", hdus=hdus)
    load_images(config.images_root, config, release="sky")
    with opened(config) as (_, images):
        found = images.by_ids([f"ivo://vo.example/sky?mosaic/{name}" for name in ("N1", "N2", "N3")])
        assert sorted((image.image_id, image.hdu) for image in found) == [("mosaic/N1", 1), ("mosaic/N2", 2)]
