"""The capabilities document (SimpleDALRegExt 1.1, 3.2): one capability for each type of image service."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree
from lxml.builder import ElementMaker

from vo import vosi
from vo.config import Config
from vo.sia.v1.execute import QUERY_PATH, STANDARD_ID
from vo.sia.v1.published import Largest
from vo.sia.v1.query import LARGEST_SIZE
from vo.sia.v1.service_types import SERVICE_TYPES, ServiceType

_NAMESPACES = {"sia": "http://www.ivoa.net/xml/SIA/v1.1"}
_TEST_SIZE = 0.1

E = ElementMaker()


def capabilities(base_url: str, largest: Largest | None, config: Config) -> bytes:
    """The document of a service below `base_url`, whose largest image gives its limits and its test query."""
    types = (_capability(each, base_url + QUERY_PATH, largest, config) for each in SERVICE_TYPES)
    return vosi.capabilities(f"{base_url}/sia/v1", *types, namespaces=_NAMESPACES)


def _capability(each: ServiceType, url: str, largest: Largest | None, config: Config) -> etree._Element:
    # The parameters of a query follow what the URL has already.
    access = f"{url}?" if each is SERVICE_TYPES[0] else f"{url}?TYPE={each.name}&"
    return vosi.capability(
        STANDARD_ID,
        E.description(each.description),
        vosi.interface(access, use="base", role="std", version="1.0"),
        E.imageServiceType(each.name),
        _size("maxQueryRegionSize", LARGEST_SIZE),
        *_of_images(largest, config),
        extension="sia:SimpleImageAccess",
    )


def _of_images(largest: Largest | None, config: Config) -> Iterator[etree._Element]:
    if largest is not None:
        yield _size("maxImageExtent", largest.fov)
    yield E.maxRecords(str(config.maxrec_limit))
    if largest is not None:
        position = E.pos(E.long(str(largest.ra)), E.lat(str(largest.dec)))
        yield E.testQuery(position, _size("size", _TEST_SIZE), E.verb("2"))


def _size(name: str, degrees: float) -> etree._Element:
    return E(name, E.long(str(degrees)), E.lat(str(degrees)))
