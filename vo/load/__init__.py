"""`vo load`: a directory with a description and data files becomes a release that is served."""

from vo.load.describe import describe
from vo.load.images import LoadedImages, load_images
from vo.load.oracle_load import OracleOptions, load_into_oracle
from vo.load.progress import Progress, ProgressLine, Report
from vo.load.publish import publish
from vo.load.release import Loaded, load_release
from vo.load.tiles import LoadedTiles, load_tiles

__all__ = [
    "Loaded",
    "LoadedImages",
    "LoadedTiles",
    "OracleOptions",
    "Progress",
    "ProgressLine",
    "Report",
    "describe",
    "load_images",
    "load_into_oracle",
    "load_release",
    "load_tiles",
    "publish",
]
