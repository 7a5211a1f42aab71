"""Multi-order coverage maps of space (IVOA MOC 2.0): sets of HEALPix cells, in three forms."""

from vo.moc.files import fits_bytes, read_fits
from vo.moc.moc import FINEST, Moc
from vo.moc.shapes import cone_moc, polygon_moc
from vo.moc.text import ascii_text, json_text, read_ascii, read_json

__all__ = [
    "FINEST",
    "Moc",
    "ascii_text",
    "cone_moc",
    "fits_bytes",
    "json_text",
    "polygon_moc",
    "read_ascii",
    "read_fits",
    "read_json",
]
