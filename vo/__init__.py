"""A data release of an astronomical survey, served on the standards of the IVOA."""

__version__ = "0.1.0"
