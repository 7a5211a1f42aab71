"""The page on which people ask what the survey covers: well-formed XML that works without scripts."""

from __future__ import annotations

from collections.abc import Iterable
from string import Template

from vo.catalog import Catalog
from vo.footprint.index import TILES
from vo.footprint.map_request import DEFAULT_ORDER as MAP_ORDER
from vo.footprint.map_request import FINEST_ORDER as FINEST_MAP
from vo.footprint.moc_request import DEFAULT_ORDER as MOC_ORDER
from vo.footprint.moc_request import FINEST_ORDER as FINEST_MOC
from vo.footprint.moc_request import OPERATIONS
from vo.footprint.tables import BANDS, JOBS_PATH, MAP_PATH, MOC_PATH, has_tiles, objects_table
from vo.page import page, plain


def footprint_page(base_url: str, title: str, catalog: Catalog) -> str:
    """Forms for tiles, maps and MOCs, as far as there are any; `base_url` is that of the whole service."""
    url, parts = base_url.rstrip("/"), [_HEAD.substitute(title=plain(title))]
    if has_tiles(catalog):
        parts.append(_TILES.substitute(url=plain(url + TILES)))
    objects = objects_table(catalog.tables())
    tables = [table.qualified for table in catalog.tables() if table.spatial is not None]
    choices = {
        "bands": _options(BANDS),
        "tables": _options(tables),
        "jobs": plain(url + JOBS_PATH),
        "base": plain(f"{url}/footprint"),
    }
    if objects is not None:
        parts.append(_MAP.substitute(choices, url=plain(url + MAP_PATH), order=MAP_ORDER, finest=FINEST_MAP))
    if objects is not None or has_tiles(catalog):
        words = {"order": MOC_ORDER, "finest": FINEST_MOC, "operations": _options(OPERATIONS)}
        parts.append(_MOC.substitute(choices, url=plain(url + MOC_PATH), **words))
    return page(f"Footprint · {title}", "\n".join([*parts, _PROGRAMS.substitute(choices)]))


def _options(names: Iterable[str]) -> str:
    return "".join(f"<option>{plain(name)}</option>" for name in names)


_HEAD = Template("""\
<header>
<h1>Footprint</h1>
<p class="lead">Which part of the sky $title covers: by tile, on a map, as a list of cells.</p>
</header>""")

_TILES = Template("""\
<h2 id="tiles">Tiles</h2>
<form class="card" action="$url" method="get">
<div class="row">
<div><label for="place">Place, degrees (ICRS)</label>
<input id="place" name="POS" value="POINT 0.2 -40.3" required="required" autocomplete="off"
 spellcheck="false" autocapitalize="characters" aria-describedby="place-help" /></div>
<button>Find tiles</button>
</div>
<p id="place-help" class="quiet">POINT lon lat, CIRCLE lon lat radius, BOX lon lat width height,
RANGE lon lon lat lat or POLYGON lon lat …</p>
</form>""")

_MAP = Template("""\
<h2 id="map">Map</h2>
<form class="card" action="$url" method="get">
<div class="row">
<div><label for="value">Value of a cell</label>
<input id="value" name="VALUE" value="count" list="values" autocomplete="off" spellcheck="false"
 autocapitalize="off" aria-describedby="value-help" />
<datalist id="values"><option value="count" /><option value="coverage" /><option value="depth" /></datalist>
</div>
<div><label for="map-order">Order of the cells</label>
<input id="map-order" name="ORDER" type="number" min="0" max="$finest" value="$order" /></div>
<div><label for="map-table">Table</label>
<select id="map-table" name="TABLE"><option value="">objects, or tiles</option>$tables</select></div>
<div><label for="map-band">Band of the tiles</label>
<select id="map-band" name="BAND"><option value="">any</option>$bands</select></div>
</div>
<label for="where">Only rows where (ADQL)</label>
<input id="where" name="WHERE" autocomplete="off" spellcheck="false" autocapitalize="off" />
<div class="row">
<div><label for="projection">Projection</label>
<select id="projection" name="PROJECTION"><option>mollweide</option><option>gnomonic</option></select></div>
<div><label for="around">Around: longitude, latitude, radius</label>
<input id="around" name="CIRCLE" autocomplete="off" aria-describedby="around-help" /></div>
<button name="RESPONSEFORMAT" value="png">Show</button>
<button class="second" name="RESPONSEFORMAT" value="fits">FITS</button>
<button class="second" name="RESPONSEFORMAT" value="json">JSON</button>
</div>
<p id="value-help" class="quiet">count, mean(column), min(column), max(column), sum(column) of rows; coverage,
or depth in a band, of tiles, without a table or condition.</p>
<p id="around-help" class="quiet">In degrees, as 0.2 -40.3 5; a gnomonic map needs it.</p>
</form>""")

_MOC = Template("""\
<h2 id="moc">MOC</h2>
<form class="card" action="$url" method="post" enctype="multipart/form-data">
<p>A multi-order coverage map: the cells with tiles, or with rows of a table.</p>
<div class="row">
<div><label for="moc-order">Finest order</label>
<input id="moc-order" name="ORDER" type="number" min="0" max="$finest" value="$order" /></div>
<div><label for="moc-table">Of</label>
<select id="moc-table" name="TABLE"><option value="">tiles, or objects</option>$tables</select></div>
<div><label for="moc-band">Tiles in</label>
<select id="moc-band" name="BAND"><option value="">any band</option>$bands</select></div>
<div><label for="depth">Depth, from and to</label>
<input id="depth" name="DEPTH" placeholder="23.5 +Inf" autocomplete="off" spellcheck="false" /></div>
</div>
<label for="query">or of the positions of a query in ADQL</label>
<textarea id="query" name="QUERY" rows="2" spellcheck="false" autocapitalize="off"
 autocomplete="off"></textarea>
<div class="row">
<div><label for="operation">And then</label>
<select id="operation" name="OPERATION"><option value="">nothing</option>$operations</select></div>
<div><label for="other">with a MOC of yours (FITS, JSON, ASCII)</label>
<input id="other" name="MOC" type="file" /></div>
<button name="RESPONSEFORMAT" value="fits">FITS</button>
<button class="second" name="RESPONSEFORMAT" value="ascii">ASCII</button>
<button class="second" name="RESPONSEFORMAT" value="json">JSON</button>
<button class="second" name="RESPONSEFORMAT" value="html">Area</button>
</div>
</form>""")

_PROGRAMS = Template("""\
<h2>For programs</h2>
<dl>
<dt><a href="$base/capabilities">/footprint/capabilities</a></dt><dd>All resources and their parameters.</dd>
<dt><a href="$base/availability">/footprint/availability</a></dt><dd>Whether the service is up.</dd>
<dt><a href="$jobs">/footprint/async</a></dt><dd>Maps and MOCs that take longer, as jobs (UWS 1.1).</dd>
</dl>""")
