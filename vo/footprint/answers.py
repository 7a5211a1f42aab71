"""The answers of the resources about tiles: media type, body and further headers."""

from __future__ import annotations

from collections.abc import Mapping

from vo import formats
from vo.context import Context
from vo.dali import HTML_TYPE, Params
from vo.footprint.index import index_of
from vo.footprint.search import TileSearch
from vo.footprint.tile import facts, files_resource
from vo.footprint.tile_page import tile_page
from vo.page import POLICY
from vo.votable.document import Notes

Answer = tuple[str, bytes, Mapping[str, str]]
"""Media type, body, and headers beside them."""


def search_answer(params: Params, context: Context, base_url: str) -> Answer:
    """The tiles that the parameters ask for."""
    index = index_of(context.database)
    search = TileSearch.from_params(params, context.config)
    body = search.answer(index, base_url, Notes(title=context.config.title))
    name = f'inline; filename="tiles.{search.format.extension}"'
    return search.format.media_type, body, {"content-disposition": name}


def tile_answer(name: str, params: Params, context: Context, base_url: str) -> Answer:
    """The tile of that name: a page, JSON, or its row; VOTables have its files as well."""
    index, wanted = index_of(context.database), formats.find(params.single("RESPONSEFORMAT"))
    told = facts(name, params.single("RELEASE"), index, context.database.catalog(), context.images, base_url)
    if wanted.extension == "html":
        return HTML_TYPE, tile_page(told, context.config.title).encode(), {"content-security-policy": POLICY}
    if wanted.extension == "json":
        return wanted.media_type, told.to_json(), {}
    asked = (("ID", told.name), ("RELEASE", told.row["release"]), ("RESPONSEFORMAT", wanted.media_type))
    search = TileSearch.from_params(Params(asked), context.config)
    notes = Notes(title=context.config.title, resources=(files_resource(told.files),))
    return wanted.media_type, search.answer(index, base_url, notes), {}
