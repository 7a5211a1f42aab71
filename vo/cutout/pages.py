"""The page on which people ask for cutouts: well-formed XML that works without scripts."""

from __future__ import annotations

from string import Template

from vo.config import Config
from vo.cutout.options import LARGEST, SMALLEST
from vo.images.collection import ImageCollection
from vo.page import page, plain


def cutout_page(base_url: str, config: Config, images: ImageCollection) -> str:
    """A form for one cutout, filled with a place that there is an image of, and the words of the URL.

    `base_url` is that of the whole service.
    """
    tiles = images.tiles()
    known = images.by_tile(tiles[0])[:1] if tiles else []
    ra, dec = (f"{known[0].ra:.5f}", f"{known[0].dec:.5f}") if known else ("", "")
    body = _BODY.substitute(
        title=plain(config.title),
        url=plain(f"{base_url.rstrip('/')}/cutout"),
        ra=ra,
        dec=dec,
        bands=plain("".join(images.bands())),
        releases="\n".join(f"<option>{plain(name)}</option>" for name in images.releases()),
        positions=f"{config.cutout_positions:,}",
        least=f"{SMALLEST:g}",
        most=f"{LARGEST:g}",
        words="\n".join(f"<dt><code>{name}</code></dt><dd>{plain(about)}</dd>" for name, about in _WORDS),
    )
    return page(f"Cutouts · {config.title}", body)


_WORDS = (
    ("RA, DEC", "A position in degrees (ICRS)."),
    ("ID", "Or an object of the catalogue, by the number that names it there."),
    ("TILE", "Or the middle of a tile; beside a position, the only tile whose images are used."),
    ("SIZE, or XSIZE and YSIZE", f"Arcminutes, from {SMALLEST:g} to {LARGEST:g}; 1 unless told."),
    ("BANDS", "Such as gri; FITS has all of them unless told, a picture one or three of them."),
    ("RELEASE", "The last one that has images there unless told."),
    ("FORMAT", "fits, fits.fz (packed), png or jpeg."),
    ("STYLE", "lupton, with MINIMUM, STRETCH and Q; or percentile, with LOW and HIGH."),
)

_BODY = Template("""\
<header>
<h1>Cutouts</h1>
<p class="lead">A piece of the sky out of the images of $title, as FITS or as a picture with north up.</p>
</header>
<form class="card" action="$url" method="get">
<div class="row">
<div><label for="ra">Right ascension, degrees</label>
<input id="ra" name="RA" value="$ra" inputmode="decimal" autocomplete="off" /></div>
<div><label for="dec">Declination, degrees</label>
<input id="dec" name="DEC" value="$dec" inputmode="decimal" autocomplete="off" /></div>
<div><label for="id">or an object's number</label>
<input id="id" name="ID" inputmode="numeric" autocomplete="off" /></div>
<div><label for="tile">or a tile</label>
<input id="tile" name="TILE" autocomplete="off" spellcheck="false" /></div>
</div>
<div class="row">
<div><label for="size">Size, arcmin</label>
<input id="size" name="SIZE" type="number" min="$least" max="$most" step="any" value="1"
 required="required" /></div>
<div><label for="bands">Bands, of $bands</label>
<input id="bands" name="BANDS" autocomplete="off" spellcheck="false" /></div>
<div><label for="style">Colours</label>
<select id="style" name="STYLE"><option value="lupton">Lupton</option>
<option value="percentile">Percentiles</option></select></div>
<div><label for="release">Release</label>
<select id="release" name="RELEASE"><option value="">the last</option>
$releases
</select></div>
<button name="FORMAT" value="png">Show</button>
<button class="second" name="FORMAT" value="fits">FITS</button>
</div>
</form>
<h2 id="many">Many at once</h2>
<form class="card" action="$url/async" method="post" enctype="multipart/form-data">
<input type="hidden" name="PHASE" value="RUN" />
<p>A table with the columns RA and DEC in degrees, or COADD_OBJECT_ID, and perhaps XSIZE, YSIZE and BANDS for
each row: CSV, VOTable, FITS or Parquet, of up to $positions rows.</p>
<div class="row">
<div><label for="positions">Table</label>
<input id="positions" name="POSITIONS" type="file" required="required" /></div>
<div><label for="format">Each as</label>
<select id="format" name="FORMAT"><option>fits</option><option>fits.fz</option><option>png</option>
<option>fits,png</option></select></div>
<div><label for="all-size">Size, arcmin</label>
<input id="all-size" name="SIZE" type="number" min="$least" max="$most" step="any" value="1"
 required="required" /></div>
<div><label for="all-bands">Bands</label>
<input id="all-bands" name="BANDS" autocomplete="off" spellcheck="false" /></div>
<div><label for="results">Together as</label>
<select id="results" name="RESULTS"><option>tar</option><option>zip</option>
<option>files</option></select></div>
<button>Send</button>
<a class="button second" href="$url/async">Jobs</a>
</div>
</form>
<h2 id="words">The words of the URL</h2>
<p>In any order and case: <code>$url?ra=$ra&amp;dec=$dec&amp;size=1&amp;format=png</code></p>
<dl>
$words
</dl>""")
