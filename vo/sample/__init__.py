"""The deterministic synthetic release for demonstration, tests and documentation."""

from vo.sample.release import make_objects, write_sample
from vo.sample.tiles import sample_tiles

__all__ = ["make_objects", "sample_tiles", "write_sample"]
