"""The capabilities document of TAP: TAPRegExt 1.0, filled from what the parser and the writers declare."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter

from lxml import etree
from lxml.builder import ElementMaker

from vo import vosi
from vo.adql.features import FEATURES, Feature
from vo.catalog import Catalog
from vo.config import Config
from vo.formats import FORMATS, Format
from vo.images.tables import has_obscore

_TAPREGEXT = {"tr": "http://www.ivoa.net/xml/TAPRegExt/v1.0"}
_VERSIONS = {"2.0": "ivo://ivoa.net/std/ADQL#v2.0", "2.1": "ivo://ivoa.net/std/ADQL#v2.1"}
_UNKNOWN_BEFORE = "#features-adql-conditional"

E = ElementMaker()


def capabilities(base_url: str, config: Config, catalog: Catalog, *, takes_uploads: bool) -> bytes:
    """The document; `base_url` is that of the whole service, of which TAP is the child `/tap`."""
    tap_url = f"{base_url.rstrip('/')}/tap"
    access = vosi.capability(
        "ivo://ivoa.net/std/TAP",
        vosi.interface(tap_url, use="base", role="std", version="1.1"),
        *_data_models(catalog),
        _language(),
        *(_output_format(each) for each in FORMATS),
        *(_upload_methods(config) if takes_uploads else ()),
        *_limits(config),
        *(
            [_limit("uploadLimit", config.upload_rows, config.upload_rows, unit="row")]
            if takes_uploads
            else []
        ),
        extension="tr:TableAccess",
    )
    return vosi.capabilities(
        tap_url,
        access,
        vosi.examples(tap_url),
        endpoints=("capabilities", "availability", "tables"),
        namespaces=_TAPREGEXT,
    )


def _data_models(catalog: Catalog) -> Iterator[etree._Element]:
    """The data models whose tables are there (TAPRegExt 1.0, 2.1; ObsCore 1.1, 5)."""
    if has_obscore(catalog):
        yield E.dataModel("ObsCore-1.1", {"ivo-id": "ivo://ivoa.net/std/ObsCore#core-1.1"})


def _language() -> etree._Element:
    return E.language(
        E.name("ADQL"),
        *(E.version(version, {"ivo-id": ivo_id}) for version, ivo_id in _VERSIONS.items()),
        E.description("The Astronomical Data Query Language"),
        *(
            E.languageFeatures({"type": _spelt(kind)}, *(_feature(feature) for feature in features))
            for kind, features in groupby(FEATURES, attrgetter("type"))
        ),
    )


def _spelt(kind: str) -> str:
    """The type of a feature group with the capitals that clients older than ADQL 2.1 look for.

    ADQL 2.1 (4.1) writes these identifiers in lower case, and they compare without case (Identifiers 2.0,
    2.1.2); but TOPCAT 4.8 and before, which compare letter by letter, would take geometry for a syntax
    error. The one group that they do not know at all would be an error to them under a known prefix.
    """
    return kind if kind.endswith(_UNKNOWN_BEFORE) else kind.replace("/tapregext#", "/TAPRegExt#")


def _feature(feature: Feature) -> etree._Element:
    description = [E.description(feature.description)] if feature.description else []
    return E.feature(E.form(feature.form), *description)


def _output_format(output: Format) -> etree._Element:
    ivo_id = {"ivo-id": output.standard_id} if output.standard_id else {}
    return E.outputFormat(ivo_id, E.mime(output.media_type), *(E.alias(alias) for alias in output.aliases))


def _limits(config: Config) -> Iterator[etree._Element]:
    """The limits (TAPRegExt 1.0, 2.6 and 2.7), in seconds and rows."""
    yield _limit("retentionPeriod", config.destruction_default_s, config.destruction_limit_s)
    yield _limit("executionDuration", config.duration_default_s, config.duration_limit_s)
    yield _limit("outputLimit", config.maxrec_default, config.maxrec_limit, unit="row")


def _upload_methods(config: Config) -> Iterator[etree._Element]:
    """The ways by which tables come (TAPRegExt 1.0, 2.5)."""
    for method in ("inline", *(("http", "https") if config.upload_from else ())):
        yield E.uploadMethod({"ivo-id": f"ivo://ivoa.net/std/TAPRegExt#upload-{method}"})


def _upload_limits(config: Config) -> Iterator[etree._Element]:
    """The rows of one table (TAPRegExt 1.0, 2.7, which has room for one limit)."""
    yield _limit("uploadLimit", config.upload_rows, config.upload_rows, unit="row")


def _limit(name: str, default: int, hard: int, **unit: str) -> etree._Element:
    return E(name, E.default(str(default), **unit), E.hard(str(hard), **unit))
