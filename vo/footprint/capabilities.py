"""The capabilities document of the footprint service: its resources, each with its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lxml import etree
from lxml.builder import ElementMaker

from vo import vosi
from vo.catalog import Catalog
from vo.footprint.index import TILES
from vo.footprint.tables import JOBS_PATH, MAP_PATH, MOC_PATH, has_coverage, has_tiles
from vo.votable.descriptor import Input

_PLAIN: Mapping[str, str] = {"char": "string", "int": "integer", "double": "real"}
"""The types of VOTable in the words of VODataService 1.1 (SimpleDataType)."""

E = ElementMaker()


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource by its path from the root; `is_there` says whether a catalogue has what it needs."""

    path: str
    description: str
    inputs: tuple[Input, ...] = ()
    is_there: Callable[[Catalog], bool] = lambda _catalog: True


_RELEASE = Input("RELEASE", "Release that the tiles are of", ucd="meta.id")
_FORMAT = Input("RESPONSEFORMAT", "VOTable unless told; JSON, CSV and others", ucd="meta.code.mime")
_PLACES = (
    Input(
        "POS",
        "POINT lon lat, CIRCLE lon lat radius, BOX lon lat width height, RANGE lon lon lat lat or "
        "POLYGON lon lat ... (ICRS, degrees)",
        ucd="pos.outline;obs.field",
    ),
    Input("CIRCLE", "Longitude, latitude and radius", "double", "3", unit="deg", ucd="pos.outline;obs.field"),
    Input("MOC", "A MOC in ASCII or JSON", xtype="moc", ucd="pos.outline;obs.field"),
    Input("POLYGON", "Longitudes and latitudes", "double", "*", unit="deg", ucd="pos.outline;obs.field"),
)
_TILES = Resource(
    TILES,
    "The tiles with some of the places asked for, all of whose parameters may be repeated; or of some names.",
    (
        *_PLACES,
        Input("ID", "Name of a tile", ucd="meta.id;meta.main"),
        _RELEASE,
        Input("MAXREC", "Tiles at the most", "int", None),
        _FORMAT,
    ),
    has_tiles,
)

_POSITIONS = Resource(
    f"{TILES}/async",
    "Jobs (UWS 1.1) that add the tiles of each position to a table; the parent takes short tables, too.",
    (
        Input("UPLOAD", "The table as a pair of a name and a URI (DALI), unless it is the only file sent"),
        Input("RA", "Column of right ascension, if neither UCD nor name tells it", ucd="meta.id"),
        Input("DEC", "Column of declination, if neither UCD nor name tells it", ucd="meta.id"),
        _RELEASE,
        _FORMAT,
    ),
    has_tiles,
)

_ORDER = Input("ORDER", "Order of the HEALPix cells; NSIDE is another way to say it", "int", None)
_TABLE = Input("TABLE", "Table whose main positions are meant", ucd="meta.table")
_BAND = Input("BAND", "Band of the tiles: g, r, i, z or y", ucd="instr.bandpass")
_DEPTH = Input("DEPTH", "Depths of the tiles in BAND, from and to", "double", "2", unit="mag")
_MOC = Resource(
    MOC_PATH,
    "Multi-order coverage maps (MOC 2.0) of tiles, a table or a query, alone or with one that is sent.",
    (
        _ORDER,
        _BAND,
        _DEPTH,
        _RELEASE,
        _TABLE,
        Input("QUERY", "ADQL whose rows have positions, regions or MOCs", ucd="meta.code"),
        Input("MOC", "A MOC in ASCII or JSON; as a file in FITS as well", ucd="pos.outline"),
        Input("OPERATION", "Of ours and MOC: union, intersection or difference", ucd="meta.code"),
        Input("RESPONSEFORMAT", "FITS unless told; JSON, ASCII, or a table of one row", ucd="meta.code.mime"),
    ),
    has_coverage,
)
_MAP = Resource(
    MAP_PATH,
    "Maps of the sky on the HEALPix grid: rows, their means and extremes, coverage, depth.",
    (
        _ORDER,
        Input("VALUE", "count, mean(column), min(column), max(column), sum(column), coverage or depth"),
        _TABLE,
        Input("WHERE", "A condition of ADQL on the rows", ucd="meta.code"),
        _BAND,
        _DEPTH,
        _RELEASE,
        Input("RESPONSEFORMAT", "FITS unless told; JSON or PNG", ucd="meta.code.mime"),
        Input("PROJECTION", "Of a picture: mollweide unless told, or gnomonic", ucd="meta.code"),
        Input(
            "CIRCLE", "The middle of a picture and, of a gnomonic one, its radius", "double", "3", unit="deg"
        ),
        Input("WIDTH", "Pixels of a picture across", "int", None),
        Input("SCALE", "Of the colours: log for counts, else linear, unless told", ucd="meta.code"),
    ),
    has_coverage,
)
_JOBS = Resource(
    JOBS_PATH,
    "Jobs (UWS 1.1) of the same parameters.",
    (Input("PRODUCT", "moc or map", ucd="meta.code"),),
    has_coverage,
)

RESOURCES: tuple[Resource, ...] = (_TILES, _POSITIONS, _MOC, _MAP, _JOBS)
"""All that answer queries, in the order in which they are described."""


def capabilities(base_url: str, catalog: Catalog) -> bytes:
    """The document; no standard names these resources, so each is described by its parameters."""
    described = (_capability(base_url, each) for each in RESOURCES if each.is_there(catalog))
    return vosi.capabilities(f"{base_url}/footprint", *described)


def _capability(base_url: str, resource: Resource) -> etree._Element:
    interface = vosi.interface(base_url + resource.path, use="base")
    interface.extend(map(_param, resource.inputs))
    return E.capability(E.description(resource.description), interface)


def _param(given: Input) -> etree._Element:
    unit = [E.unit(given.unit)] if given.unit else []
    ucd = [E.ucd(given.ucd)] if given.ucd else []
    shape = {"arraysize": given.arraysize} if given.arraysize and given.datatype != "char" else {}
    return E.param(
        {"std": "false", "use": "optional"},
        E.name(given.name),
        E.description(given.description),
        *unit,
        *ucd,
        E.dataType(shape, _PLAIN[given.datatype]),
    )
