"""The page of anomaly detection: a form that starts a job, and what comes out of one."""

from __future__ import annotations

from string import Template

from vo.anomaly.request import DEFAULT_TOP, USUAL, USUAL_SCALING
from vo.catalog import Catalog
from vo.forest.preparation import Missing, Scaling
from vo.page import page, plain

_RESULTS = (
    ("result", "The objects by rank: their names, features and scores; of the strangest, the reasons."),
    ("summary", "JSON: how the scores are spread, the parameters, the time that each step took."),
    ("explanations", "JSON: for each of the strangest, its reasons, ordinary objects near it, a cutout."),
    ("model", "The forest itself, as Arrow: to score other objects, here or anywhere."),
    ("histogram, corner, scoremap, skymap, forest", "Pictures (PNG)."),
)

_PARAMETERS = (
    ("QUERY", "ADQL whose rows are the objects. UPLOAD brings tables along, as in TAP."),
    ("FEATURES", "Columns or expressions of them that the forest looks at: mag_auto_g - mag_auto_r AS g_r."),
    ("ID", "The columns that name an object; without it, what the UCDs call an identifier."),
    ("WEIGHT", "A column or expression: how much an object counts when objects are drawn for trees."),
    ("NTREES, SAMPLE_SIZE", f"The trees ({USUAL.ntrees}), and objects for each ({USUAL.sample_size})."),
    ("EXTENSION", "Features in a cut, less one: 0 is the isolation forest, full (or nothing) all of them."),
    ("DEPTH_LIMIT, SEED", "How deep a tree may grow; another seed makes another forest."),
    ("SCALING", f"{', '.join(Scaling)}: what is done to features that have different units."),
    ("MISSING", f"{', '.join(Missing)}: what is done without a value, for all or as feature:policy."),
    ("TOP, THRESHOLD, CONTAMINATION", f"Anomalies: so many ({DEFAULT_TOP}), from this score on, this share."),
    ("RESPONSEFORMAT, MAXREC", "The form of the table and its rows at the most, as in TAP."),
)


def service_page(base_url: str, title: str, catalog: Catalog) -> str:
    """The page; `base_url` is that of the whole service, `title` its name."""
    url = f"{base_url.rstrip('/')}/anomaly"
    query, features = _example(catalog)
    scalings = "".join(
        f"<option>{name}</option>" for name in sorted(Scaling, key=lambda name: name != USUAL_SCALING)
    )
    body = _PAGE.substitute(
        url=plain(url),
        query=plain(query),
        features=plain(features),
        scalings=scalings,
        top=DEFAULT_TOP,
        ntrees=USUAL.ntrees,
        sample_size=USUAL.sample_size,
        parameters=_defined(_PARAMETERS),
        results=_defined(_RESULTS),
    )
    return page(f"Anomalies · {title}", body)


def _defined(pairs: tuple[tuple[str, str], ...]) -> str:
    return "\n".join(f"<dt><code>{plain(name)}</code></dt><dd>{plain(text)}</dd>" for name, text in pairs)


def _example(catalog: Catalog) -> tuple[str, str]:
    """A query that runs here, and its features: colours where there are magnitudes."""
    for table in catalog.tables():
        if table.spatial is None:
            continue
        names = {column.name for column in table.columns}
        bands = [band for band in "griz" if f"mag_auto_{band}" in names]
        if len(bands) > 2:  # noqa: PLR2004  two colours make a diagram
            magnitudes = [f"mag_auto_{band}" for band in bands]
            colours = [
                f"{one} - {two} AS {a}_{b}"
                for one, two, a, b in zip(magnitudes, magnitudes[1:], bands, bands[1:], strict=False)
            ]
            query = f"SELECT TOP 20000 * FROM {table.qualified}"  # noqa: S608  a name of the catalogue
            return query, ", ".join([*colours, magnitudes[2]])
    return "", ""


_PAGE = Template("""\
<header>
<h1>Anomalies</h1>
<p class="lead">The strangest objects of a selection, with reasons.</p>
<p>Name a selection and some numbers of its objects. An extended isolation forest
(Hariri, Carrasco Kind &amp; Brunner 2019) grows from samples of them and gives each object a score
between 0 and 1: the sooner random cuts set it apart from the others, the higher.</p>
</header>
<form class="card" action="$url/async" method="post" enctype="multipart/form-data">
<input type="hidden" name="PHASE" value="RUN" />
<label for="query">Objects: a query in ADQL</label>
<textarea id="query" name="QUERY" rows="4" spellcheck="false" autocapitalize="off" autocomplete="off">
$query</textarea>
<label for="features">Features: columns or expressions; none: all that was measured</label>
<textarea id="features" name="FEATURES" rows="2" spellcheck="false" autocapitalize="off"
 autocomplete="off">
$features</textarea>
<div class="row">
<div><label for="ntrees">Trees</label>
<input id="ntrees" name="NTREES" type="number" min="1" value="$ntrees" /></div>
<div><label for="sample">Sample of a tree</label>
<input id="sample" name="SAMPLE_SIZE" type="number" min="2" value="$sample_size" /></div>
<div><label for="scaling">Scaling</label><select id="scaling" name="SCALING">$scalings</select></div>
<div><label for="weight">Weight</label>
<input id="weight" name="WEIGHT" type="text" spellcheck="false" placeholder="all the same" /></div>
<div><label for="top">Anomalies</label>
<input id="top" name="TOP" type="number" min="1" value="$top" /></div>
<button>Run</button>
</div>
</form>
<h2>Parameters</h2>
<dl>
$parameters
</dl>
<h2>Results</h2>
<dl>
$results
</dl>
<h2>For programs</h2>
<dl>
<dt><a href="$url/async">/anomaly/async</a></dt><dd>The jobs (UWS 1.1): a POST makes one.</dd>
<dt><a href="$url/capabilities">/anomaly/capabilities</a></dt><dd>What the service can do.</dd>
<dt><a href="$url/availability">/anomaly/availability</a></dt><dd>Whether the service is up.</dd>
</dl>
<pre tabindex="0">curl $url/async -d PHASE=RUN --data-urlencode "QUERY=$query" \\
  --data-urlencode "FEATURES=$features"</pre>""")
