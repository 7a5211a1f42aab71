"""`vo load images`: FITS images, which stay where they are."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from vo.commands.telling import say
from vo.config import Config
from vo.errors import LoadError
from vo.load import LoadedImages, ProgressLine, load_images


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which files, and what they belong to."""
    parser.add_argument("source", type=Path, metavar="DIR", help="directory below VO_IMAGES_DIR")
    parser.add_argument("--release", help="release that they belong to (default: the only one)")
    parser.add_argument("--collection", help="obs_collection of ObsCore (default: the release's name)")
    parser.add_argument(
        "--no-checksums", action="store_true", help="read headers alone, not all bytes of every file"
    )


def run(options: argparse.Namespace, config: Config) -> None:
    """Publish them; a LoadError after all others if files had to be left out."""
    loaded = images_loaded(
        config,
        options.source,
        release=options.release,
        collection=options.collection,
        checksums=not options.no_checksums,
    )
    say(f"{loaded}\n")
    if loaded.faults:
        raise LoadError(f"{len(loaded.faults):,} files or images were left out.")


def images_loaded(config: Config, source: Path, **options: Any) -> LoadedImages:
    """The images below a directory, published, with a line of progress."""
    progress = ProgressLine(sys.stderr)
    try:
        return load_images(source, config, report=progress, **options)
    finally:
        progress.end()
