"""The page of a tile for people: well-formed XML that works without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from string import Template
from typing import Any

from vo.footprint.tables import BANDS
from vo.footprint.tile import TileFacts, TileFile
from vo.page import page, plain

_BODY = Template("""\
<header>
<h1>$name</h1>
<p class="lead">A tile of the release $release.</p>
</header>
<h2>Where it is</h2>
<dl>
$place
</dl>
<h2>What is in it</h2>
<dl>
$content
</dl>
<h2>Files</h2>
$files
<h2>For programs</h2>
<p>The same as <a href="$self&amp;RESPONSEFORMAT=json">JSON</a> or
<a href="$self&amp;RESPONSEFORMAT=votable">VOTable</a>.</p>
""")

_FILES = Template("""\
<div class="scroll"><table>
<thead><tr><th>Band</th><th class="number">Bytes</th><th>Links</th></tr></thead>
<tbody>
$rows
</tbody></table></div>""")


def tile_page(told: TileFacts, title: str) -> str:
    """The page; `title` is that of the service."""
    rows = "\n".join(map(_file, told.files))
    body = _BODY.substitute(
        name=plain(told.name),
        release=plain(told.row["release"]),
        place="\n".join(_pairs(_place(told))),
        content="\n".join([*_pairs(_content(told)), *_objects(told)]),
        files=_FILES.substitute(rows=rows) if told.files else "<p>No images of it are published.</p>",
        self=plain(told.links["self"]),
    )
    return page(f"{told.name} · {title}", body)


def _place(told: TileFacts) -> Iterator[tuple[str, str | None]]:
    row = told.row
    yield "Centre", f"RA {row['ra']:.6f}, Dec {row['dec']:+.6f}"
    yield "Corners of the image", "; ".join(f"{ra:.6f} {dec:+.6f}" for ra, dec in told.corners)
    if row["ura_min"] is not None:
        yield (
            "Its own area",
            (
                f"RA {row['ura_min']:.6f} to {row['ura_max']:.6f}, "
                f"Dec {row['udec_min']:+.6f} to {row['udec_max']:+.6f}, "
                f"{row['unique_area']:.4f} square degrees"
            ),
        )
    yield "Image", f"{row['naxis1']} x {row['naxis2']} pixels of {row['pixel_scale']:g} arcsec"
    yield "In the archive", row["archive_path"]


def _content(told: TileFacts) -> Iterator[tuple[str, str | None]]:
    count = told.row["count_objects"]
    yield "Objects", None if count is None else f"{count:,}"
    depths = {band: told.row[f"depth_{band}"] for band in BANDS}
    known = [f"{band} {value:.2f}" for band, value in depths.items() if value is not None]
    yield "Depth, magnitudes", ", ".join(known) or None


def _pairs(facts: Iterator[tuple[str, Any]]) -> Iterator[str]:
    for name, value in facts:
        yield f"<dt>{plain(name)}</dt><dd>{'not known' if value is None else plain(value)}</dd>"


def _objects(told: TileFacts) -> Iterator[str]:
    if told.query is not None:
        form, rows = (plain(told.links[name]) for name in ("query_form", "objects"))
        links = f'<a href="{form}">as a query</a>, <a href="{rows}">as a VOTable</a>'
        yield f"<dt>Catalogue</dt><dd><code>{plain(told.query)}</code><br />{links}</dd>"


def _file(file: TileFile) -> str:
    links = {"links": file.datalink, "file": file.file, "picture of the middle": file.cutout}
    anchors = ", ".join(f'<a href="{plain(url)}">{name}</a>' for name, url in links.items())
    size = f'<td class="number">{file.file_size:,}</td>'
    return f"<tr><th>{plain(file.band or '')}</th>{size}<td>{anchors}</td></tr>"
