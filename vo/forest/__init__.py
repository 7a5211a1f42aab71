"""Extended isolation forests on arrays, without a word of where these come from or go to.

Hariri, Carrasco Kind & Brunner 2019. Rows are drawn in `sample`, become features in `preparation`, grow into
`trees` in `grow`, and are scored in `depths`; a `detector` is all of it, `contributions` say why a row is
strange, and `files` has the form of models as tables.
"""

from __future__ import annotations

import numpy as np

from vo.forest import contributions, sample
from vo.forest.detector import fit, score
from vo.forest.preparation import Missing, Scaling
from vo.forest.settings import Settings


def warm_up() -> None:
    """Compile, or load from the cache, all loops; columns of Arrow are read-only, a type of their own."""
    for kind, is_writable in ((np.float32, True), (np.float64, True), (np.float64, False)):
        rows, ids, weights = np.arange(8, dtype=kind).reshape(2, 4), np.arange(4), np.arange(1.0, 5.0)
        rows.flags.writeable = ids.flags.writeable = is_writable
        seen = sample.offered(sample.empty(0, 4, 2), rows, ids, weights=weights)
        for scaling, extension in ((Scaling.NONE, 0), (Scaling.PCA, None)):
            settings = Settings(ntrees=1, sample_size=4, extension=extension)
            detector = fit(seen, "ab", settings, missing=[Missing.DROP] * 2, scaling=scaling)
            score(detector, rows)
            contributions.contributions(detector, rows)
