"""The deterministic synthetic release for demonstration, tests and documentation."""

from vo.sample.images import Order, image_tiles, write_images
from vo.sample.release import make_objects, write_sample
from vo.sample.tiles import sample_tiles, write_tile_list

__all__ = [
    "Order",
    "image_tiles",
    "make_objects",
    "sample_tiles",
    "write_images",
    "write_sample",
    "write_tile_list",
]
