"""ObsCore 1.1 in TAP: every mandatory column to the letter, declared if and only if it is there."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from astropy.io.votable import parse_single_table
from lxml import etree
from service import Service

from vo import vosi
from vo.catalog import Catalog, Schema
from vo.config import Config
from vo.images.tables import Held, has_obscore, obscore_table, schemas
from vo.tap.capabilities import capabilities
from vo.tap.examples import examples
from vo.tap.schema import TAP_SCHEMA

POSITION = "Char.SpatialAxis.Coverage.Location.Coord.Position2D.Value2"
MANDATORY = f"""
dataproduct_type  char   -      meta.code.class             ObsDataset.dataProductType
calib_level       int    -      meta.code;obs.calib         ObsDataset.calibLevel
obs_collection    char   -      meta.id                     DataID.Collection
obs_id            char   -      meta.id                     DataID.observationID
obs_publisher_did char   -      meta.ref.ivoid              Curation.PublisherDID
access_url        char   -      meta.ref.url                Access.Reference
access_format     char   -      meta.code.mime              Access.Format
access_estsize    long   kbyte  phys.size;meta.file         Access.Size
target_name       char   -      meta.id;src                 Target.Name
s_ra              double deg    pos.eq.ra                   {POSITION}.C1
s_dec             double deg    pos.eq.dec                  {POSITION}.C2
s_fov             double deg    phys.angSize;instr.fov      Char.SpatialAxis.Coverage.Bounds.Extent.diameter
s_region          char   -      pos.outline;obs.field       Char.SpatialAxis.Coverage.Support.Area
s_resolution      double arcsec pos.angResolution           Char.SpatialAxis.Resolution.Refval.value
s_xel1            long   -      meta.number                 Char.SpatialAxis.numBins1
s_xel2            long   -      meta.number                 Char.SpatialAxis.numBins2
t_min             double d      time.start;obs.exposure     Char.TimeAxis.Coverage.Bounds.Limits.StartTime
t_max             double d      time.end;obs.exposure       Char.TimeAxis.Coverage.Bounds.Limits.StopTime
t_exptime         double s      time.duration;obs.exposure  Char.TimeAxis.Coverage.Support.Extent
t_resolution      double s      time.resolution             Char.TimeAxis.Resolution.Refval.value
t_xel             long   -      meta.number                 Char.TimeAxis.numBins
em_min            double m      em.wl;stat.min              Char.SpectralAxis.Coverage.Bounds.Limits.LoLimit
em_max            double m      em.wl;stat.max              Char.SpectralAxis.Coverage.Bounds.Limits.HiLimit
em_res_power      double -      spect.resolution            Char.SpectralAxis.Resolution.ResolPower.refVal
em_xel            long   -      meta.number                 Char.SpectralAxis.numBins
o_ucd             char   -      meta.ucd                    Char.ObservableAxis.ucd
pol_states        char   -      meta.code;phys.polarization Char.PolarizationAxis.stateList
pol_xel           long   -      meta.number                 Char.PolarizationAxis.numBins
facility_name     char   -      meta.id;instr.tel           Provenance.ObsConfig.facility.name
instrument_name   char   -      meta.id;instr               Provenance.ObsConfig.instrument.name
"""
"""ObsCore 1.1 with erratum 1: datatype, unit, UCD, utype."""

COLUMNS = {name: fields for name, *fields in map(str.split, MANDATORY.strip().splitlines())}
OBSCORE_ID = "ivo://ivoa.net/std/ObsCore#core-1.1"
PUBLISHED = Catalog((TAP_SCHEMA, *schemas({"sim1": Held(3, 0.5)})), "r")


def test_columns_are_those_of_the_standard(image_service: Service) -> None:
    """TAP_SCHEMA and the FIELDs of a result tell of each column what ObsCore says, letter by letter."""
    query = "SELECT * FROM TAP_SCHEMA.columns WHERE table_name = 'ivoa.obscore' AND std = 1"
    answer = image_service.sync(query, RESPONSEFORMAT="json").json()
    names = [field["name"] for field in answer["metadata"]]
    told = {row["column_name"]: row for row in (dict(zip(names, row, strict=True)) for row in answer["data"])}
    result = parse_single_table(io.BytesIO(image_service.sync("SELECT * FROM ivoa.ObsCore").content))
    fields = {field.name: field for field in result.fields}
    assert len(COLUMNS) == 30
    for name, (datatype, unit, ucd, utype) in COLUMNS.items():
        row, field = told[name], fields[name]
        assert (row["datatype"], row["unit"] or "-", row["ucd"]) == (datatype, unit, ucd)
        assert row["utype"] == field.utype == f"obscore:{utype}"
        assert (field.datatype, str(field.unit or "-"), field.ucd) == (datatype, unit, ucd)
    assert told["s_region"]["xtype"] == fields["s_region"].xtype == "adql:REGION"


def test_values(image_service: Service) -> None:
    """What may not be NULL is not; links lead to this service; the region is where the image is."""
    table = parse_single_table(
        io.BytesIO(image_service.sync("SELECT * FROM ivoa.obscore").content)
    ).to_table()
    assert len(table) == 9
    for name in ("calib_level", "obs_collection", "obs_id", "obs_publisher_did"):
        assert not any(getattr(table[name], "mask", [False]))
    assert len(set(table["obs_publisher_did"])) == 9
    assert all(
        url.startswith(f"{image_service.url}/datalink/links?ID=ivo%3A%2F%2F") for url in table["access_url"]
    )
    assert set(table["access_format"]) == {"application/x-votable+xml;content=datalink"}
    for ra, dec, did in table["s_ra", "s_dec", "obs_publisher_did"].iterrows():
        query = f"SELECT obs_publisher_did FROM ivoa.obscore WHERE CONTAINS(POINT({ra}, {dec}), s_region) = 1"
        assert did in image_service.sync(query, RESPONSEFORMAT="csv").text


def test_the_model_is_declared_where_it_is(
    image_service: Service, service: Service, assert_valid: Callable[[bytes], None]
) -> None:
    """The capabilities name ObsCore 1.1 if and only if there is the table with every mandatory column."""
    document = image_service.get("/tap/capabilities").content
    assert_valid(document)
    assert etree.fromstring(document).xpath("//dataModel/@ivo-id") == [OBSCORE_ID]
    assert not etree.fromstring(service.get("/tap/capabilities").content).xpath("//dataModel")
    assert_valid(image_service.get("/tap/tables").content)
    tableset = image_service.get("/tap/tables/ivoa.obscore").text
    assert OBSCORE_ID in tableset


@pytest.mark.parametrize("missing", COLUMNS)
def test_a_table_that_lacks_a_column_is_no_obscore(missing: str) -> None:
    """One mandatory column less, and the model is not declared."""
    whole = obscore_table()
    less = replace(whole, columns=tuple(column for column in whole.columns if column.name != missing))
    catalog = Catalog((TAP_SCHEMA, Schema("ivoa", (less,))), "r")
    assert has_obscore(PUBLISHED)
    assert not has_obscore(catalog)
    document = capabilities("http://localhost", Config(), catalog, takes_uploads=False)
    assert not etree.fromstring(document).xpath("//dataModel")


def test_schemas_that_files_share(image_service: Service) -> None:
    """The release's own tables come first in its schema, which keeps its description."""
    found = vosi.tables(PUBLISHED, None)
    assert b"<name>sim1.images</name>" in found
    root = etree.fromstring(image_service.get("/tap/tables").content)
    (names,) = (
        [each.text for each in schema.findall("table/name")] for schema in root if schema[0].text == "sim1"
    )
    assert names[0] == "sim1.main"
    assert names[-1] == "sim1.images"
    (description,) = root.xpath("schema[name = 'sim1']/description/text()")
    assert "SYNTHETIC" in description


def test_examples_of_images_run(image_service: Service) -> None:
    """Examples about images are shown where there are images, and find some."""
    shown = [example for example in examples(PUBLISHED) if example.name.startswith("Images of")]
    assert len(shown) == 2
    for example in shown:
        answer = image_service.sync(example.query, RESPONSEFORMAT="csv")
        assert answer.status_code == 200
        assert len(answer.text.splitlines()) > 1, example.query
