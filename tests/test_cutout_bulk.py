"""Bulk cutout_service, /cutout/async, through the door: read by tarfile, zipfile and astropy."""

from __future__ import annotations

import io
import json
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.io.votable import from_table, writeto
from astropy.table import Table
from astropy.wcs import WCS
from cutout_data import BANDS, OBJECTS
from cutout_jobs import archived, done, manifest, refused, started, statuses
from PIL import Image as Picture
from service import Service

SAMPLES = Path(__file__).resolve().parents[2] / "shared" / "data" / "desaccess-samples"

LINES = 500
"""Rows of a long table that are tried."""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("des_tiles_sample_1000_coords.csv", {"unmatched": LINES}),
        ("des_tiles_sample_1200_coadds.csv", {"unmatched": LINES}),
        ("linea_cutout_request.csv", {"ok": 10}),
        ("positions.example.1.csv", {"ok": LINES}),
        ("positions.example.2.csv", {"ok": 7, "unmatched": 1}),
        ("positions.example.3.csv", {"ok": 17, "unmatched": 1, "error": 7}),
        ("positions.example.4.csv", {"ok": 22, "error": 6}),
        ("positions.example.5.csv", {"ok": 3, "error": 4}),
        ("positions.example.6.csv", {"unmatched": 5}),
        ("positions.example.7.csv", {"ok": 3}),
        ("positions.example.8.csv", {"ok": 8}),
        ("positions.example.9.csv", {"ok": 32}),
        ("test.coadd.csv", {"ok": 1}),
        ("test.coadd.4.csv", {"ok": 4}),
        ("test.coadd.output.csv", {"ok": 4}),
        ("test.coadd.sizes.csv", {"ok": 4}),
        ("test.radec.csv", {"ok": 12}),
        ("test.radec.2.csv", {"ok": 3}),
        ("test.radec.many.csv", {"unmatched": LINES}),
        ("test.radec.multisizes.csv", {"ok": 10}),
        ("test.radec.single.csv", {"ok": 1}),
        ("test.radec.sizes.csv", {"ok": 2}),
        ("test.radec.xsizeonly.csv", {"ok": 12}),
    ],
)
def test_requests_to_desaccess(cutout_service: Service, name: str, expected: dict[str, int]) -> None:
    """The tables that its own tests send are understood, each row of them."""
    table = SAMPLES / name
    if not table.is_file():
        pytest.skip("the requests to DESaccess are not at hand")
    job = done(cutout_service, b"".join(table.read_bytes().splitlines(keepends=True)[: LINES + 1]), BANDS="g")
    assert statuses(cutout_service, job) == expected


def test_a_table_without_positions_is_refused(cutout_service: Service) -> None:
    """The one bad table among them: what it has is told, and what was probably meant."""
    table = SAMPLES / "test.radec.err.csv"
    if not table.is_file():
        pytest.skip("the requests to DESaccess are not at hand")
    refused(cutout_service, table.read_bytes(), "no column RA, but BRA, DEC, FAKE. Should BRA be RA?")


FORMS = {
    "positions": ("RA,DEC\n21.58,3.6\n36.64,-15.67\n", {"ok": 2}),
    "in any case, apart by semicolons": ("ra;dec;name\n21.58;3.6;x\n", {"ok": 1}),
    "with a byte order mark": ("\ufeffRA,DEC\r\n21.58,3.6\r\n", {"ok": 1}),
    "objects": ("COADD_OBJECT_ID\n61407409\n61407330\n7\n", {"ok": 2, "unmatched": 1}),
    "objects by other names": ("objid,flux\n61407409,3\n", {"ok": 1}),
    "either in one table": ("RA,DEC,COADD_OBJECT_ID\n,,61407409\n21.58,3.6,\n,,\n", {"ok": 2, "error": 1}),
    "empty in quotes": ('RA,DEC,COADD_OBJECT_ID\n21.58,3.6,""\n"","",61407409\n', {"ok": 2}),
    "some rows wrong": (
        "\n".join(
            [
                "RA,DEC,XSIZE,COLORS_FITS",
                *("21.58,3.6,13,g", "21.58,3.6,0,g", "x,3,1,g", "21.58,,1,g", "21.58,95,1,g", "400,3.6,1,g"),
                *("nan,3.6,1,g", "21.58,3.6,1,q", "21.58,3.6,1,g", "200,80,1,g"),
            ]
        ),
        {"error": 8, "unmatched": 1, "ok": 1},
    ),
    "columns that mean something else": ("RA,DEC,Q,LOW,STRETCH\n21.58,3.6,-5,x,y\n", {"ok": 1}),
}


@pytest.mark.parametrize(("table", "expected"), FORMS.values(), ids=FORMS)
def test_forms_of_tables(cutout_service: Service, table: str, expected: dict[str, int]) -> None:
    """What people send is understood; what is wrong with a row costs that row."""
    assert statuses(cutout_service, done(cutout_service, table, BANDS="g")) == expected


@pytest.mark.parametrize("kind", ["vot", "fits", "parquet", "text"])
def test_kinds_of_files(cutout_service: Service, kind: str, tmp_path: Path) -> None:
    """The same table as VOTable, FITS or Parquet, or as the text of a parameter."""
    table = Table(
        {"RA": [21.58, 36.64], "DEC": [3.6, -15.67], "XSIZE": [2.0, np.nan], "COLORS_FITS": ["g", "ri"]}
    )
    path = tmp_path / f"table.{kind}"
    if kind == "text":
        text = "RA,DEC,XSIZE,COLORS_FITS\n21.58,3.6,2,g\n36.64,-15.67,,ri\n"
        answer = cutout_service.post("/cutout/async", PHASE="RUN", POSITIONS=text)
        job = answer.headers["location"].removeprefix(cutout_service.url)
        assert cutout_service.await_phase(job, "COMPLETED", "ERROR") == "COMPLETED"
    else:
        if kind == "vot":
            writeto(from_table(table), str(path))
        elif kind == "parquet":
            pq.write_table(pa.table({name: table[name].tolist() for name in table.colnames}), path)
        else:
            table.write(path)
        job = done(cutout_service, path.read_bytes())
    found = manifest(cutout_service, job)
    assert [str(each) for each in found["bands"]] == ["g", "r i"]
    assert list(found["width"]) == [2.0, 1.0]


def test_a_cutout_is_the_same_alone_and_among_many(cutout_service: Service) -> None:
    """Each file of an archive has the bytes that /cutout gives for the same row."""
    table = (
        "RA,DEC,COADD_OBJECT_ID,XSIZE,YSIZE,BANDS\n21.58,3.6,,6,3,gri\n,,61407410,2,2,Y\n46.1,-34.1,,4,,zir\n"
    )
    asked = [
        {"RA": 21.58, "DEC": 3.6, "XSIZE": 6, "YSIZE": 3, "BANDS": "gri"},
        {"ID": 61407410, "SIZE": 2, "BANDS": "Y"},
        {"RA": 46.1, "DEC": -34.1, "XSIZE": 4, "BANDS": "zir"},
    ]
    tar, zipped = (
        archived(cutout_service, done(cutout_service, table, FORMAT="fits,png", RESULTS=way))
        for way in ("tar", "zip")
    )
    assert len(tar) == 8
    cutouts_of = [
        {name: file for name, file in each.items() if "manifest" not in name} for each in (tar, zipped)
    ]
    assert cutouts_of[0] == cutouts_of[1]
    for number, row in enumerate(asked, 1):
        for form in ("fits", "png"):
            alone = cutout_service.get("/cutout", **row, FORMAT=form)
            name = alone.headers["content-disposition"].split('"')[1]
            assert tar[f"{number:05}_{name}"] == alone.content


def test_the_manifest_tells_what_became_of_each_row(
    cutout_service: Service, assert_valid: Callable[[bytes], None]
) -> None:
    """As VOTable and as JSON: file, tile, image, and the pixels that it is of; in the archive as well."""
    table = "RA,DEC,COADD_OBJECT_ID\n36.64,-15.67,\n21.58,3.6,17\n1,1,\n,,61407330\n"
    job = done(cutout_service, table, BANDS="rg", SIZE="5")
    files, found = archived(cutout_service, job), manifest(cutout_service, job)
    document = cutout_service.get(f"{job}/results/manifest").content
    assert_valid(document)
    assert files["manifest.vot"] == document
    assert files["manifest.json"] == cutout_service.get(f"{job}/results/manifest-json").content
    told = json.loads(files["manifest.json"])
    assert [each["name"] for each in told["metadata"]] == found.colnames
    assert [row[0] for row in told["data"]] == list(found["row_number"]) == [1, 2, 3, 4]
    assert [str(each) for each in found["status"]] == ["ok", "ok", "unmatched", "ok"]
    assert str(found["object_id"][3]) == "61407330"
    assert found["ra"][3] == pytest.approx(OBJECTS[61407330][0], abs=1e-9)
    for row in found[found["status"] == "ok"]:
        hdus = fits.open(io.BytesIO(files[str(row["file"])]), checksum=True)
        assert [hdu.name for hdu in hdus[1:]] == str(row["bands"]).split() == ["r", "g"]
        assert [hdu.header["ORIGSEC"] for hdu in hdus[1:]] == str(row["boxes"]).split()
        assert [hdu.header["TILENAME"] for hdu in hdus[1:]] == str(row["tiles"]).split()
        assert all(
            did.endswith(f"{row['tiles'].split()[0]}_{band}")
            for did, band in zip(row["images"].split(), "rg", strict=True)
        )
        assert row["file_size"] == len(files[str(row["file"])])
        assert (row["width"], row["height"], str(row["format"]), str(row["release"])) == (
            5,
            5,
            "application/fits",
            "des",
        )
        rows, columns = hdus[1].data.shape
        x, y = WCS(hdus[1].header).all_world2pix(row["ra"], row["dec"], 0)
        assert np.allclose([x, y], [(columns - 1) / 2, (rows - 1) / 2], atol=0.51)
    assert "shows the position" in str(found["error"][2])


def test_options_of_the_row_go_before_those_of_the_request(cutout_service: Service) -> None:
    """And those before the system's; a size that a level does not tell is that of the level below."""
    table = "RA,DEC,XSIZE,YSIZE,BANDS\n21.58,3.6,2,3,i\n21.58,3.6,2,,\n21.58,3.6,,,\n"
    found = manifest(cutout_service, done(cutout_service, table, SIZE="4", BANDS="gr"))
    assert list(zip(found["width"], found["height"], strict=True)) == [(2, 3), (2, 4), (4, 4)]
    assert [str(each) for each in found["bands"]] == ["i", "g r", "g r"]
    found = manifest(cutout_service, done(cutout_service, table, YSIZE="5"))
    assert list(zip(found["width"], found["height"], strict=True)) == [(2, 3), (2, 5), (1, 5)]
    assert [str(each) for each in found["bands"]] == ["i", " ".join(BANDS), " ".join(BANDS)]


def test_pictures_as_desaccess_asks_for_them(cutout_service: Service) -> None:
    """MAKE_RGB_LUPTON and MAKE_RGB_STIFF make a picture for each group of colours; FITS may be discarded."""
    table = (
        "RA,DEC,MAKE_FITS,MAKE_RGB_LUPTON,MAKE_RGB_STIFF,RGB_LUPTON_COLORS,RGB_STIFF_COLORS,RGB_ASINH\n"
        "21.58,3.6,true,TRUE,false,gri;riz,gri,9\n21.58,3.6,false,1,true,gri,irg,2\n21.58,3.6,,,,,,\n"
    )
    job = done(cutout_service, table, MAKE_FITS="true", DISCARD_FITS_FILES="false")
    files, found = archived(cutout_service, job), manifest(cutout_service, job)
    assert list(found["row_number"]) == [1, 1, 1, 2, 2, 3]
    assert Counter(str(each) for each in found["bands"]) == {" ".join(BANDS): 2, "i r g": 3, "z i r": 1}
    pictures = {name: file for name, file in files.items() if name.endswith(".png")}
    assert len(set(pictures.values())) == len(pictures) == 4
    assert all(Picture.open(io.BytesIO(file)).size == (256, 256) for file in pictures.values())
    none = manifest(cutout_service, done(cutout_service, table, DISCARD_FITS_FILES="true"))
    assert list(none["row_number"]) == [1, 1, 2, 2, 3]


def test_files_side_by_side(cutout_service: Service, assert_valid: Callable[[bytes], None]) -> None:
    """RESULTS=files makes each a result of its own, with its type; too many are refused."""
    job = done(
        cutout_service, "RA,DEC\n21.58,3.6\n36.64,-15.67\n", BANDS="g", RESULTS="files", FORMAT="fits jpeg"
    )
    assert_valid(cutout_service.get(job).content)
    for row in manifest(cutout_service, job):
        answer = cutout_service.get(f"{job}/results/{row['file']}")
        assert (answer.headers["content-type"], len(answer.content)) == (row["format"], row["file_size"])
    many = "RA,DEC\n" + "21.58,3.6\n" * 201
    refused(cutout_service, many, "There would be 201 files", RESULTS="files", BANDS="g")


def test_each_image_is_visited_once(cutout_service: Service) -> None:
    """Whatever the order of the table, the cutouts of a tile are made one after the other."""
    places = ["21.58,3.6", "36.64,-15.67", "46.28,-34.25", "30.05,-63.9"]
    job = done(cutout_service, "RA,DEC\n" + "\n".join(places * 6), BANDS="gr")
    tiles = [name.split("_")[2] for name in archived(cutout_service, job) if "manifest" not in name]
    changes = sum(one != other for one, other in pairwise(tiles))
    assert (len(tiles), changes) == (24, 3)


def test_bad_requests(cutout_service: Service) -> None:
    """Each is told what was wrong, and leaves nothing."""
    good = "RA,DEC\n21.58,3.6\n"
    for table, words, params in (
        (None, "One table of positions is needed", {}),
        ("", "The file is empty", {}),
        ("RA,DEC\n", "The table has no rows", {}),
        ("NAME\nx\n", "no column RA, but NAME", {}),
        ("RA\n1\n", "no column DEC, but RA", {}),
        ("RA,DEC,ra\n1,2,3\n", "2 columns", {}),
        ("RA,DEC,BANDS,Bands\n1,2,g,r\n", "2 columns", {}),
        ("RA,DEC\n1\n", "not valid CSV", {}),
        (b"\x00\x01\x02binary", "of no kind that is read", {}),
        (b"<VOTABLE", "", {}),
        (b"SIMPLE  =", "", {}),
        (b"PAR1", "", {}),
        (good, "RESULTS 'rar' is not known. Known are tar, zip, files.", {"RESULTS": "rar"}),
        (good, "no images of a release 'dr9'", {"RELEASE": "dr9"}),
        ("RA,DEC\n" + "1,1\n" * 6001, "more than 6,000 rows", {}),
        ("RA,DEC\n" + "21.58,3.6\n" * 300, "pixels in all, and may have 3,000,000", {"SIZE": "12"}),
    ):
        refused(cutout_service, table, words, **params)


def test_options_of_the_request_that_are_wrong_cost_every_row(cutout_service: Service) -> None:
    """Each row that has none of its own; those that have go on."""
    job = done(cutout_service, "RA,DEC,XSIZE,YSIZE\n21.58,3.6,,\n21.58,3.6,1,1\n", SIZE="13", BANDS="g")
    assert statuses(cutout_service, job) == {"error": 1, "ok": 1}


def test_an_abort_ends_the_work(cutout_service: Service) -> None:
    """It leaves no result, and the lane has time for the next job at once."""
    job = started(cutout_service, "RA,DEC\n" + "21.58,3.6\n" * 5000, FORMAT="png", SIZE="1")
    cutout_service.await_phase(job, "EXECUTING", "COMPLETED", "ERROR")
    _await_progress(cutout_service, job)
    cutout_service.post(f"{job}/phase", PHASE="ABORT")
    after = done(cutout_service, "RA,DEC\n21.58,3.6\n", BANDS="g")
    assert statuses(cutout_service, after) == {"ok": 1}
    assert cutout_service.phase(job) == "ABORTED"
    assert "<uws:result " not in cutout_service.get(job).text
    folder = cutout_service.data / "results" / job.rpartition("/")[2]
    assert not list(folder.rglob("cutouts*"))


def _await_progress(service: Service, job: str) -> None:
    """Until the job tells that it has made some cutout_service, of how many."""
    for _ in range(400):
        document = service.get(job).text
        if 'unit="cutouts">' in document and 'unit="cutouts">0<' not in document:
            assert "<job:total>5000</job:total>" in document
            return
        time.sleep(0.05)
    pytest.fail(document)
