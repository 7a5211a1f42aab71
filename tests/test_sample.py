"""The sample release: the layout of its tiles, the physics of its objects, and the files it is made of."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from astropy import units
from astropy.coordinates import Latitude, Longitude, SkyCoord
from astropy.io.votable.ucd import check_ucd
from cdshealpix.nested import healpix_to_lonlat
from hypothesis import given, settings
from hypothesis import strategies as st

from vo.catalog import Table
from vo.sample import make_objects, sample_tiles, write_sample
from vo.sample.columns import schema, table
from vo.sample.felis import to_felis
from vo.sample.measurement import extended_class
from vo.sample.objects import GALAXY, KINDS, STAR
from vo.sample.oddities import ODDITIES
from vo.sample.sky import BANDS, depth, ebv, exposures, galactic, seeing
from vo.sample.tiles import Tile, band_at, from_gnomonic, gnomonic, tile, tile_at

OBJECTS = 6_000
DES_TILES = Path(__file__).resolve().parents[2] / "shared/data/des-tiles/y3a2_tiles.csv"
EXAMPLE_QUERIES = sorted((DES_TILES.parents[1] / "desaccess-samples").glob("example-query-*.sql"))
FELIS_TYPES = "boolean byte short int long float double char string unicode text timestamp".split()


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small release on disk."""
    directory = tmp_path_factory.mktemp("release")
    write_sample(directory, objects=OBJECTS)
    return directory


def read(release: Path, name: str) -> pa.Table:
    """A table of the release."""
    return pq.read_table(release / f"{name}.parquet")


def values(found: pa.Table, *names: str) -> list[np.ndarray]:
    """Columns as NumPy arrays, NULL as NaN."""
    return [found[name].to_numpy() for name in names]


@pytest.fixture(scope="module")
def des_tiles() -> list[dict[str, str]]:
    """The tiles of DES DR1."""
    if not DES_TILES.exists():
        pytest.skip("the tile list of DES is not here")
    with DES_TILES.open() as lines:
        return list(csv.DictReader(lines))


def test_tiles_are_those_of_des(des_tiles: list[dict[str, str]]) -> None:
    """All 10,338 tiles of DR1 have our name, centre and bounds (the list carries errors of 8e-6 deg)."""
    for row in des_tiles:
        ours = tile_at(float(row["RA_CENT"]), float(row["DEC_CENT"]))
        assert ours.name == row["TILENAME"]
        centre = [float(row[key]) for key in ("RA_CENT", "DEC_CENT")]
        bounds = [float(row[key]) for key in ("URALL", "URAUR", "UDECLL", "UDECUR")]
        assert [ours.ra, ours.dec] == pytest.approx(centre, abs=2e-5)
        assert [ours.ura_min, ours.ura_max, ours.udec_min, ours.udec_max] == pytest.approx(bounds, abs=2e-5)


def test_corners_are_those_of_des(des_tiles: list[dict[str, str]]) -> None:
    """Corners agree in order and place with the list, which takes the edges in Dec for parallels."""
    for row in des_tiles[::250]:
        ours = tile_at(float(row["RA_CENT"]), float(row["DEC_CENT"])).corners()
        theirs = [
            [float(row[f"{axis}{corner}"]) for axis in ("RA", "DEC")] for corner in ("LL", "UL", "UR", "LR")
        ]
        assert np.abs(ours - theirs).max() < 0.004


@pytest.mark.parametrize("band", [-126, -125, -124, -106, -105, -57, -1, 0, 60, 105, 106, 125, 126])
def test_a_band_closes(band: int) -> None:
    """Going east, each unique area begins exactly where the last one ended, and the circle closes."""
    first = tile(band, 0)
    edge, count = first.ura_min, 0
    while True:
        found = tile(band, count)
        assert found.ura_min == edge
        edge = found.ura_max if found.ura_max < 360.0 else round(found.ura_max - 360.0, 6)
        count += 1
        if edge == first.ura_min:
            break
    assert tile(band, count) == first
    assert tile(band, -1) == tile(band, count - 1)


def test_bands_meet_and_end_at_the_poles() -> None:
    """Bands share their edges, and the outermost end at the poles."""
    bands = [tile(band, 0) for band in range(-126, 127)]
    assert all(south.udec_max == north.udec_min for south, north in pairwise(bands))
    assert (bands[0].udec_min, bands[-1].udec_max) == (-90.0, 90.0)


@pytest.mark.parametrize("band", range(-126, 127, 3))
def test_an_image_holds_its_unique_area(band: int) -> None:
    """No part of the sky falls between the images, at no latitude."""
    found = tile(band, 1)
    ra, dec = edge_of(found)
    pixels = np.array(found.wcs().all_world2pix(ra, dec, 1))
    assert pixels.min() > 0.5
    assert pixels.max() < 10_000.5


def edge_of(found: Tile) -> tuple[np.ndarray, np.ndarray]:
    """Positions along the rim of the unique area."""
    way = np.linspace(0.0, 1.0, 25)
    ra = found.ura_min + (found.ura_max - found.ura_min) * way
    dec = found.udec_min + (found.udec_max - found.udec_min) * way
    low, high = np.full(25, found.ura_min), np.full(25, found.ura_max)
    south, north = np.full(25, found.udec_min), np.full(25, found.udec_max)
    return np.concatenate([ra, ra, low, high]), np.concatenate([south, north, dec, dec])


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 360, exclude_max=True), st.floats(-90, 90))
def test_every_position_has_one_tile(ra: float, dec: float) -> None:
    """The tile at a position contains it, and none of its neighbours does (but for rounded bounds)."""
    found = tile_at(ra, dec)
    place = np.array([ra]), np.array([dec])
    beside = [
        tile(band, tile_at(ra, found.dec + (band - found.band) * 0.7138).index + step)
        for band in range(max(-126, found.band - 1), min(126, found.band + 1) + 1)
        for step in (-1, 0, 1)
    ]
    claims = {other for other in {*beside, found} if other.contains(*place)[0]}
    assert len(claims) == 1
    owner = claims.pop()
    rim = min(
        abs(dec - found.udec_min),
        abs(dec - found.udec_max),
        *np.abs((ra - np.array([found.ura_min, found.ura_max]) + 180) % 360 - 180),
    )
    assert owner == found or rim < 2e-6


def test_projection_is_that_of_astropy() -> None:
    """Our tangent plane is that of the WCS, next to the pole as well, and its inverse inverts it."""
    for found in sample_tiles():
        ra, dec = edge_of(found)
        east, north = gnomonic(ra, dec, found.ra, found.dec)
        x, y = found.wcs().all_world2pix(ra, dec, 1)
        assert np.allclose(-east * 3600 / 0.263, x - 5000.5, atol=1e-5)
        assert np.allclose(north * 3600 / 0.263, y - 5000.5, atol=1e-5)
        back_ra, back_dec = from_gnomonic(
            east, north, np.full(ra.size, found.ra), np.full(ra.size, found.dec)
        )
        assert np.allclose(back_dec, dec, atol=1e-9)
        assert np.allclose(np.sin(np.radians(back_ra - ra)) * np.cos(np.radians(dec)), 0.0, atol=1e-12)


def test_the_sample_exercises_wraps_and_the_pole() -> None:
    """Its tiles straddle RA 0h, surround the south pole, and hold what the example queries ask for."""
    tiles = sample_tiles()
    assert len(tiles) == len({found.name for found in tiles}) == len({found.number for found in tiles})
    assert sum(found.straddles_0h and found.dec > -60 for found in tiles) >= 4
    assert sum(found.ura_max - found.ura_min for found in tiles if found.udec_min == -90.0) == 360.0
    ra, dec = np.meshgrid(np.linspace(40, 41, 30), np.linspace(-41, -40, 30))
    assert np.any([found.contains(ra, dec) for found in tiles], axis=0).all()
    assert tile_at(323.36, -0.82) in tiles
    assert band_at(-90.0) == -126


def test_galactic_coordinates_are_those_of_astropy() -> None:
    """The rotation agrees with astropy's but for the 25 mas between the axes of FK5, its base, and ICRS."""
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 360, 200), rng.uniform(-90, 90, 200)
    lon, lat = galactic(ra, dec)
    theirs = SkyCoord(ra, dec, unit="deg").galactic
    ours = SkyCoord(lon, lat, unit="deg", frame="galactic")
    assert ours.separation(theirs).mas.max() < 30.0


def test_sky_fields_are_smooth_and_in_range() -> None:
    """Dust, depth and seeing stay within reason and do not jump at RA 0h or the pole."""
    rng = np.random.default_rng(2)
    ra, dec = rng.uniform(0, 360, 20_000), np.degrees(np.arcsin(rng.uniform(-1, 1, 20_000)))
    assert 0.0 < ebv(ra, dec).min() < ebv(ra, dec).max() < 0.08
    assert 2 <= exposures(ra, dec).min() < exposures(ra, dec).max() <= 9
    assert np.ptp(depth(ra, dec), axis=0).max() < 1.2
    assert 0.7 < seeing(ra, dec).min() < seeing(ra, dec).max() < 1.3
    west, east = (
        ebv(np.array([359.9999, 10.0]), np.array([3.0, -90.0])),
        ebv(np.array([0.0001, 200.0]), np.array([3.0, -90.0])),
    )
    assert np.allclose(west, east, atol=1e-4)


def test_objects_lie_in_their_tile(release: Path) -> None:
    """Published positions are inside the unique area and the image of the tile, ra in [0, 360)."""
    main = read(release, "main")
    names, ra, dec, x, y = values(main, "tilename", "ra", "dec", "xwin_image", "ywin_image")
    assert ra.min() >= 0.0
    assert ra.max() < 360.0
    assert np.array_equal(np.round(ra, 6), ra)
    for found in sample_tiles():
        own = names == found.name
        assert found.contains(ra[own], dec[own]).all()
        place = np.array(found.wcs().all_world2pix(ra[own], dec[own], 1))
        assert np.abs(place - [x[own], y[own]]).max() < 0.02
    assert min(x.min(), y.min()) > 0.5
    assert max(x.max(), y.max()) < 10_000.5
    full_ra, full_dec = values(main, "alphawin_j2000", "deltawin_j2000")
    assert np.abs(full_dec - dec).max() < 6e-7
    assert np.abs((full_ra - ra + 180) % 360 - 180).max() < 6e-7


def test_tables_belong_together(release: Path) -> None:
    """Identifiers are unique, truth has each of them once, and the tiles count them."""
    main, truth, tiles = (read(release, name) for name in ("main", "truth", "tile_info"))
    ident = main["coadd_object_id"].to_numpy()
    assert abs(ident.size - OBJECTS) < 5 * OBJECTS**0.5
    assert np.unique(ident).size == ident.size
    assert np.array_equal(truth["coadd_object_id"].to_numpy(), ident)
    assert set(read(release, "main_sample")["coadd_object_id"].to_pylist()) < set(ident.tolist())
    counted = dict(zip(tiles["tilename"].to_pylist(), tiles["count_objects"].to_pylist(), strict=True))
    names, counts = np.unique(main["tilename"].to_numpy(), return_counts=True)
    assert counted == dict(zip(names.tolist(), counts.tolist(), strict=True))
    assert pq.ParquetFile(release / "main.parquet").num_row_groups == len(sample_tiles())


def test_schema_of_the_files_is_the_published_one(release: Path) -> None:
    """Each file has the columns and types of its table, and main about a hundred of them."""
    for described in schema().tables:
        found = pq.read_schema(release / f"{described.name}.parquet")
        assert found.names == [column.name for column in described.columns]
        assert found.types == [column.arrow_type() for column in described.columns]
    assert 90 <= len(table("main").columns) <= 120


def test_healpix_cells_hold_their_objects(release: Path) -> None:
    """The published cells are those of the position, and coarser ones are their parents."""
    main = read(release, "main")
    fine, ra, dec = values(main, "hpix_16384", "ra", "dec")
    lon, lat = healpix_to_lonlat(fine.astype(np.uint64), np.uint8(14))
    apart = SkyCoord(lon, lat).separation(SkyCoord(ra, dec, unit="deg"))
    assert apart.arcsec.max() < 15.0
    for order in (5, 6, 10, 12):
        assert np.array_equal(main[f"hpix_{2**order}"].to_numpy(), fine // 4 ** (14 - order))


def test_missing_values_are_null(release: Path) -> None:
    """What is not detected is NULL, never NaN or 99, most often in the shallow Y band; fluxes always are."""
    main = read(release, "main")
    misses = [main[f"mag_auto_{band}"].null_count for band in BANDS]
    assert min(misses) > 0
    assert max(misses) == misses[-1] < 0.5 * main.num_rows
    for band in BANDS:
        (magnitude,) = values(main, f"mag_auto_{band}")
        assert np.nanmax(magnitude) < 30.0
        assert main[f"flux_auto_{band}"].null_count == main[f"fluxerr_auto_{band}"].null_count == 0
        assert main[f"magerr_auto_{band}"].null_count == main[f"mag_auto_{band}"].null_count
        unseen = main[f"nepochs_{band}"].to_numpy() == 0
        assert np.array_equal(np.isnan(values(main, f"wavg_mag_psf_{band}")[0]), unseen)
    for column in main.itercolumns():
        if pa.types.is_floating(column.type):
            assert np.isfinite(column.drop_null().to_numpy()).all()


def test_measurements_scatter_as_their_errors_say(release: Path) -> None:
    """Flux residuals in units of the published error are normal; fainter objects have larger errors."""
    main, truth = read(release, "main"), read(release, "truth")
    for band in BANDS:
        flux, error = values(main, f"flux_auto_{band}", f"fluxerr_auto_{band}")
        true = np.nan_to_num(10 ** (0.4 * (30.0 - values(truth, f"mag_true_{band}")[0])))
        pull = (flux - true) / error
        assert abs(pull.mean()) < 0.1
        assert 0.95 < pull.std() < 1.05
    magnitude, error = values(main, "mag_auto_i", "magerr_auto_i")
    steps = [np.median(error[(magnitude > m) & (magnitude <= m + 1)]) for m in range(17, 24)]
    assert np.all(np.diff(steps) > 0)
    assert steps[0] < 0.005
    assert steps[-1] > 0.05


def test_counts_rise_and_end(release: Path) -> None:
    """Galaxies double and more from one magnitude to the next, up to the limit near r = 24."""
    truth = read(release, "truth")
    galaxies = truth["mag_true_r"].to_numpy()[truth["kind"].to_numpy() == "galaxy"]
    counts, _ = np.histogram(galaxies, np.arange(18.5, 26.0, 1.0))
    growth = np.log10(counts[1:5] / counts[:4])
    assert 0.3 < growth.mean() < 0.6
    assert counts[6] < 0.2 * counts[5]


def test_stars_and_galaxies_look_like_themselves(release: Path) -> None:
    """Stars follow a narrow locus and are points; galaxies redden with redshift, are extended, and shrink."""
    main, truth = read(release, "main"), read(release, "truth")
    kind = truth["kind"].to_numpy()
    g, r, i, spread = values(main, "mag_auto_g", "mag_auto_r", "mag_auto_i", "spread_model_i")
    bright = i < 21.5
    star, galaxy = bright & (kind == "star"), bright & (kind == "galaxy")
    assert 1.3 < np.median((g - r)[star & (r - i > 0.8)]) < 1.6
    assert np.std((g - r)[star & (r - i > 0.8)]) < 0.2
    assert abs(np.median(spread[star])) < 0.001
    assert np.median(spread[galaxy]) > 0.01
    classes = main["extended_class_coadd"].to_numpy()
    assert np.mean(classes[star] <= 1) > 0.9
    assert np.mean(classes[galaxy] == 3) > 0.95
    redshift, radius = values(truth, "redshift", "half_light_radius")
    assert np.median(redshift[(kind == "galaxy") & (r > 22)]) > np.median(redshift[galaxy & (r < 20)]) + 0.1
    assert np.median(radius[(kind == "galaxy") & (r > 22)]) < np.median(radius[galaxy & (r < 20)])
    assert np.all(redshift[kind == "star"] == 0.0)
    flags = main["flags_i"].to_numpy()
    assert 0.7 < np.mean(flags == 0) < 0.95
    assert np.mean(main["imaflags_iso_i"].to_numpy() != 0) < 0.05


def test_galaxies_cluster() -> None:
    """Close pairs of galaxies are more frequent than of stars strewn at random."""
    found = make_objects(tile_at(0.5, -40.0))
    pairs = {}
    for kind in (STAR, GALAXY):
        rows = np.flatnonzero(found.kind == kind)[:: 1 if kind == STAR else 3]
        x, y = gnomonic(found.ra[rows], found.dec[rows], found.ra[0], found.dec[0])
        apart = np.hypot(x[:, None] - x, y[:, None] - y)[np.triu_indices(rows.size, 1)]
        pairs[kind] = np.mean(apart < 0.02)
    assert pairs[GALAXY] > 1.1 * pairs[STAR]


def test_oddities_are_planted_in_every_tile(release: Path) -> None:
    """Each tile has one oddity of each class, some hundreds in all, and truth tells them."""
    main, truth = read(release, "main"), read(release, "truth")
    kind = truth["kind"].to_numpy()
    odd = truth["is_oddity"].to_numpy()
    assert np.array_equal(odd, np.isin(kind, ODDITIES))
    assert set(np.unique(kind)) == set(KINDS)
    assert 300 < odd.sum() == len(sample_tiles()) * len(ODDITIES)
    pairs = set(zip(main["tilename"].to_pylist(), kind.tolist(), strict=True))
    assert {(found.name, name) for found in sample_tiles() for name in ODDITIES} <= pairs


def test_oddities_stand_out(release: Path) -> None:
    """Each class is measurably what its name says."""
    main, truth = read(release, "main"), read(release, "truth")
    kind = truth["kind"].to_numpy()
    g, r, i, z = values(main, *(f"mag_auto_{band}" for band in "griz"))
    signal = {band: np.divide(*values(main, f"flux_auto_{band}", f"fluxerr_auto_{band}")) for band in BANDS}
    assert np.median((g - r)[kind == "red_extreme"]) > 2.5
    assert np.median((g - r)[kind == "blue_extreme"]) < -1.0
    assert max(signal["g"][kind == "g_dropout"]) < 5.0 < min(signal["r"][kind == "g_dropout"])
    assert max(signal["r"][kind == "r_dropout"]) < 5.0 < min(signal["z"][kind == "r_dropout"])
    assert np.nanmedian((i - z)[kind == "r_dropout"]) > 2.0
    (size,) = values(main, "flux_radius_i")
    assert min(size[kind == "giant"]) > 35.0
    assert max(i[kind == "giant"]) < 17.0
    assert min(size[kind == "diffuse"]) > 15.0
    first, last = values(main, "ywin_image_g", "ywin_image_z")
    across, beyond = values(main, "xwin_image_g", "xwin_image_z")
    moved = np.hypot(last - first, beyond - across)
    assert min(moved[kind == "moving"]) > 5.0
    assert max(moved[(kind == "star") & (r < 20)]) < 1.0


def test_coverage_fills_the_tiles(release: Path) -> None:
    """Cells are unique and inside their tile, as many as the area needs, with fractions in (0, 1]."""
    found = read(release, "coverage")
    cells, ra, dec, names = values(found, "hpix_4096", "ra", "dec", "tilename")
    assert np.unique(cells).size == cells.size
    lon, lat = healpix_to_lonlat(cells.astype(np.uint64), np.uint8(12))
    assert (
        SkyCoord(lon, lat).separation(SkyCoord(Longitude(ra, "deg"), Latitude(dec, "deg"))).uas.max() < 100.0
    )
    cell_deg2 = 4 * np.pi * (180 / np.pi) ** 2 / (12 * 4**12)
    assert cells.size * cell_deg2 == pytest.approx(sum(t.area_deg2 for t in sample_tiles()), rel=0.01)
    for owner in sample_tiles():
        assert owner.contains(ra[names == owner.name], dec[names == owner.name]).all()
        assert (names == owner.name).sum() * cell_deg2 == pytest.approx(owner.area_deg2, rel=0.05)
    for band in BANDS:
        (fraction,) = values(found, f"frac_det_{band}")
        assert 0.0 < fraction.min() < fraction.max() == 1.0


def test_tile_info_describes_the_tiles(release: Path) -> None:
    """A WCS made of the published numbers is that of the tile, and the flag tells who crosses RA 0h."""
    for row, found in zip(read(release, "tile_info").to_pylist(), sample_tiles(), strict=True):
        assert row["tilename"] == found.name
        assert row["crossra0"] == (
            "Y" if found.contains(np.array([0.0]), np.array([found.dec]))[0] and found.ura_min > 0 else "N"
        )
        assert [row["crval1"], row["crval2"]] == list(found.wcs().wcs.crval)
        assert [row["cd1_1"], row["cd2_2"]] == pytest.approx([-0.263 / 3600, 0.263 / 3600])
        assert [row["rall"], row["decll"]] == pytest.approx(found.corners()[0], abs=1e-6)
        assert [row["raur"], row["decur"]] == pytest.approx(found.corners()[2], abs=1e-6)


def test_the_same_arguments_give_the_same_bytes(release: Path, tmp_path: Path) -> None:
    """Files do not depend on when or where they are written; the seed matters; progress ends at 1."""
    told: list[float] = []
    write_sample(tmp_path / "again", objects=OBJECTS, progress=lambda _, fraction: told.append(fraction))
    assert told == sorted(told)
    assert told[-1] == 1.0
    files = sorted(path.name for path in release.iterdir())
    assert files == sorted([*(f"{found.name}.parquet" for found in schema().tables), "release.yaml"])
    for name in files:
        assert (tmp_path / "again" / name).read_bytes() == (release / name).read_bytes()
    here = sample_tiles()[0]
    assert not np.array_equal(make_objects(here).ra, make_objects(here, seed=1).ra)


def test_a_tile_can_be_made_alone(release: Path) -> None:
    """The objects of one tile, as painters of images need them, are those of the catalogue."""
    main = read(release, "main")
    found = sample_tiles()[7]
    own = main.filter(pa.compute.equal(main["tilename"], found.name))
    made = make_objects(found, objects=OBJECTS)
    assert np.array_equal(made.ident, own["coadd_object_id"].to_numpy())
    assert np.array_equal(made.ra, own["alphawin_j2000"].to_numpy())


@pytest.mark.parametrize("described", schema().tables, ids=lambda described: described.name)
def test_units_and_ucds_are_words_of_the_standards(described: Table) -> None:
    """Every UCD is UCD1+, every unit a VOUnit, every column described, and floats of mag are single."""
    for column in described.columns:
        assert check_ucd(column.ucd, check_controlled_vocabulary=True), column
        assert column.unit is None or units.Unit(column.unit, format="vounit")
        assert column.description
        assert "{" not in column.description + column.name
        assert column.unit != "mag" or column.datatype == "float"


def test_description_is_felis() -> None:
    """The YAML says SYNTHETIC first, has one main position a table at most, and its keys point to columns."""
    document = yaml.safe_load(to_felis(schema()))
    assert document["name"] == "sim1"
    assert "SYNTHETIC" in document["description"]
    known = {column["@id"] for found in document["tables"] for column in found["columns"]}
    for found in document["tables"]:
        ucds = [column["ivoa:ucd"] for column in found["columns"]]
        assert ucds.count("pos.eq.ra;meta.main") == ucds.count("pos.eq.dec;meta.main") <= 1
        assert {column["datatype"] for column in found["columns"]} <= set(FELIS_TYPES)
        assert found["primaryKey"] in known
        for constraint in found.get("constraints", ()):
            assert {*constraint["columns"], *constraint["referencedColumns"]} <= known


NAMED_IN_EXAMPLES = (
    *("coadd_object_id", "ra", "dec", "tilename", "alphawin_j2000", "deltawin_j2000", "hpix_1024"),
    *("mag_auto_g", "mag_auto_r", "mag_auto_i", "wavg_mag_psf_g", "wavg_mag_psf_r", "extended_class_coadd"),
    *("wavg_spread_model_i", "wavg_spreaderr_model_i", "flags_g", "flags_r", "flags_i"),
    *("imaflags_iso_g", "imaflags_iso_r", "imaflags_iso_i", "nepochs_g", "nepochs_r", "nepochs_i"),
)


@pytest.mark.parametrize("name", NAMED_IN_EXAMPLES)
def test_example_queries_find_their_columns(name: str) -> None:
    """What the example queries of DES name is there, in the sample table as well."""
    assert table("main").column(name, exact=True)
    assert table("main_sample").column(name, exact=True)


@pytest.mark.parametrize(
    ("spread", "error", "expected"),
    [
        (0.0, 0.0005, 0),
        (0.0, 0.002, 1),
        (0.0, 0.004, 2),
        (0.0025, 0.001, 2),
        (0.02, 0.001, 3),
        (np.nan, np.nan, -9),
    ],
)
def test_extended_class(spread: float, error: float, expected: int) -> None:
    """The classes follow the documented order, from star to galaxy."""
    assert extended_class(np.array([spread]), np.array([error]))[0] == expected
