"""Whole images (SIA 1.0, 3: the type Atlas): what their rows tell, and where their files are."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from vo.config import Config
from vo.images.tables import FILE, LINKS
from vo.sia.v1.region import Region

Arrays = Mapping[str, pa.Array]
"""Columns by their names, all of one length."""

NEEDS = (
    *("obs_collection", "obs_id", "access_url", "access_estsize"),
    *("s_ra", "s_dec", "s_xel1", "s_xel2", "s_pixel_scale"),
)
"""The columns of obscore from which the rows are made."""


_WCS = "wcs_"


def whole(stored: Arrays, _region: Region | None, _config: Config) -> Arrays:
    """What is told of each image, from the columns of obscore.

    `ra` and `dec` are of its centre, in degrees; `pixel_scale` is in arcseconds, `kbyte` its size; what is
    known of its WCS has the names of FITS.
    """
    return {
        "title": pc.binary_join_element_wise(stored["obs_collection"], stored["obs_id"], " "),
        "acref": pc.replace_substring(stored["access_url"], LINKS, FILE),
        "kbyte": stored["access_estsize"],
        "ra": stored["s_ra"],
        "dec": stored["s_dec"],
        "naxis1": stored["s_xel1"],
        "naxis2": stored["s_xel2"],
        "pixel_scale": stored["s_pixel_scale"],
        "pixflags": pa.repeat("C", len(stored["s_ra"])),
        **{name.removeprefix(_WCS): column for name, column in stored.items() if name.startswith(_WCS)},
    }
