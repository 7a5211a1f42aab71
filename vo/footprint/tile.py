"""All about one tile: its row, its files with their links, and its objects, as a document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from vo.catalog import Catalog, Table, quoted
from vo.errors import NotFoundError
from vo.footprint.index import TileIndex
from vo.footprint.tables import TILE_NAME, objects_table
from vo.images.collection import ImageCollection, ImageFile, literals
from vo.images.tables import LINKS
from vo.votable.document import attribute, text

_FILE = "/datalink/file?ID="
_CUTOUT = "/cutout"


@dataclass(frozen=True, slots=True)
class TileFile:
    """An image of the tile: what it is, and URLs of its links, of itself and of a picture of its middle."""

    obs_publisher_did: str
    band: str | None
    file_size: int
    datalink: str
    file: str
    cutout: str


@dataclass(frozen=True, slots=True)
class TileFacts:
    """A tile of one release: `row` are its values by column, `links` URLs by what they lead to.

    `query` is the ADQL that finds its objects; None: the release publishes none.
    """

    row: Mapping[str, Any]
    files: tuple[TileFile, ...]
    query: str | None
    links: Mapping[str, str]

    @property
    def name(self) -> str:
        """The name of the tile."""
        return str(self.row["tilename"])

    @property
    def corners(self) -> list[tuple[float, float]]:
        """RA and Dec of each corner of the image, counter-clockwise as seen from inside the sphere."""
        outline = self.row["outline"]
        return list(zip(outline[::2], outline[1::2], strict=True))

    def to_json(self) -> bytes:
        """The facts as JSON; what is not known is null."""
        told = {name: value for name, value in self.row.items() if not name.startswith("depth_")}
        depth = {
            name.removeprefix("depth_"): value
            for name, value in self.row.items()
            if name.startswith("depth_")
        }
        files = [{name: getattr(file, name) for name in TileFile.__slots__} for file in self.files]
        content = {**told, "corners": self.corners, "depth": depth, "files": files, "query": self.query}
        return json.dumps({**content, "links": dict(self.links)}, indent=1).encode()


def facts(
    name: str, release: str | None, index: TileIndex, catalog: Catalog, images: ImageCollection, base_url: str
) -> TileFacts:
    """The facts of a tile by its name in any case; without a release, of the first that has it."""
    numbers = index.named(name)
    numbers = numbers[index.of_releases([release] if release else [])[numbers]]
    if len(numbers) == 0:
        raise NotFoundError(f"There is no tile {name[:64]!r} of {release}.")
    row = index.rows.slice(int(numbers[0]), 1).to_pylist()[0]
    names = [column.name for column in index.columns]
    row = {name: row[name] for name in names}
    files = tuple(_file(image, base_url) for image in _images(images, row["tilename"], row["release"]))
    query = _query(catalog, row)
    links = {"self": base_url + index.paths[int(numbers[0])].as_py()}
    if query is not None:
        asked = urlencode({"LANG": "ADQL", "QUERY": query})
        links |= {
            "objects": f"{base_url}/tap/sync?{asked}&FORMAT=votable",
            "query_form": f"{base_url}/tap?{asked}",
        }
    others = [index.paths[int(number)].as_py() for number in index.named(name) if number != numbers[0]]
    links |= {f"other_release_{i}": base_url + path for i, path in enumerate(others, 1)}
    return TileFacts(row, files, query, links)


def _images(images: ImageCollection, tile: str, release: str) -> list[ImageFile]:
    """The images of the tile in the release, in the order of their wavelengths."""
    if release.lower() not in (name.lower() for name in images.releases()):
        return []
    found = images.by_tile(tile, release=release)
    return sorted(found, key=lambda image: (image.em_min or 0.0, image.obs_publisher_did))


def _file(image: ImageFile, base_url: str) -> TileFile:
    did = quote(image.obs_publisher_did, safe="")
    asked = {"TILE": image.tile or "", "RELEASE": image.release, "BANDS": image.band or "", "SIZE": "4"}
    return TileFile(
        image.obs_publisher_did,
        image.band,
        image.file_size,
        f"{base_url}{LINKS}{did}",
        f"{base_url}{_FILE}{did}",
        f"{base_url}{_CUTOUT}?{urlencode(asked)}",
    )


def _query(catalog: Catalog, row: Mapping[str, Any]) -> str | None:
    """The query for the objects of the tile: by its name where they have it, else by its outline."""
    ours = (table for table in catalog.tables() if table.schema.lower() == row["release"].lower())
    table = objects_table(ours)
    if table is None:
        return None
    by_name = f"{TILE_NAME} = {literals([row['tilename']])}"
    condition = by_name if table.column(TILE_NAME, exact=True) else _inside(table, row["outline"])
    return f"SELECT * FROM {table.qualified} WHERE {condition}"  # noqa: S608  literals and published names


def _inside(table: Table, outline: Sequence[float]) -> str:
    lon, lat = (quoted(name) for key in (table.spatial,) if key for name in (key.lon, key.lat))
    return f"1 = CONTAINS(POINT({lon}, {lat}), POLYGON({', '.join(map(repr, outline))}))"


def files_resource(files: tuple[TileFile, ...]) -> str:
    """The files as a further RESOURCE of a VOTable."""
    return "".join(_files_parts(files))


_FIELDS = (
    ("obs_publisher_did", "char", "meta.ref.ivoid"),
    ("band", "char", "instr.bandpass"),
    ("file_size", "long", "phys.size;meta.file"),
    ("datalink", "char", "meta.ref.url"),
    ("file", "char", "meta.ref.url"),
    ("cutout", "char", "meta.ref.url"),
)


def _files_parts(files: tuple[TileFile, ...]) -> Iterator[str]:
    yield '<RESOURCE type="meta" name="files">\n<TABLE name="files">\n'
    for name, datatype, ucd in _FIELDS:
        size = ' arraysize="*"' if datatype == "char" else ' unit="byte"'
        yield f'<FIELD name="{attribute(name)}" datatype="{datatype}"{size} ucd="{ucd}"/>\n'
    yield "<DATA><TABLEDATA>\n"
    for file in files:
        cells = ("" if (value := getattr(file, name)) is None else str(value) for name, _, _ in _FIELDS)
        yield f"<TR>{''.join(f'<TD>{text(cell)}</TD>' for cell in cells)}</TR>\n"
    yield "</TABLEDATA></DATA>\n</TABLE>\n</RESOURCE>\n"
