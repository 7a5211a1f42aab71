"""The capabilities document of a cone search (SimpleDALRegExt 1.1, 3.1)."""

from __future__ import annotations

from lxml.builder import ElementMaker

from vo import vosi
from vo.config import Config

_CONE_SEARCH = {"cs": "http://www.ivoa.net/xml/ConeSearch/v1.0"}
_LARGEST_RADIUS = "180"

E = ElementMaker()


def capabilities(search_url: str, config: Config) -> bytes:
    """The document of the search of one table, whose resource is `search_url`."""
    search = vosi.capability(
        "ivo://ivoa.net/std/ConeSearch",
        vosi.interface(f"{search_url}?", use="base", role="std", version="1.03"),
        E.maxSR(_LARGEST_RADIUS),
        E.maxRecords(str(config.maxrec_limit)),
        E.verbosity("true"),
        extension="cs:ConeSearch",
    )
    return vosi.capabilities(search_url, search, namespaces=_CONE_SEARCH)
