"""The synthetic release, built where there is none."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from vo.catalog import IMAGE_RELEASE, TILE_RELEASE
from vo.commands.load_images import images_loaded
from vo.commands.telling import tell
from vo.config import Config
from vo.data_dir import make_directory
from vo.load import ProgressLine, load_release, load_tiles
from vo.sample import write_images, write_sample, write_tile_list

SAMPLE = "sim1"
"""Its name."""


def add_sample(config: Config) -> None:
    """Build what there is not yet of the synthetic release."""
    make_directory(config.data_dir)
    if not (config.releases_dir / f"{SAMPLE}.duckdb").exists():
        _build_sample(config)
    if not (config.releases_dir / f"{TILE_RELEASE}.duckdb").exists():
        _build_sample_tiles(config)
    if not (config.releases_dir / f"{IMAGE_RELEASE}.duckdb").exists():
        _build_sample_images(config)


def _build_sample(config: Config) -> None:
    progress = ProgressLine(sys.stderr)
    tell("Building the sample release (synthetic; once, in about half a minute)")
    with tempfile.TemporaryDirectory(dir=config.data_dir, prefix="sample-") as directory:
        write_sample(Path(directory))
        try:
            loaded = load_release(Path(directory), config, name=SAMPLE, report=progress)
        finally:
            progress.end()
    tell(str(loaded))


def _build_sample_tiles(config: Config) -> None:
    with tempfile.TemporaryDirectory(dir=config.data_dir, prefix="sample-") as directory:
        source = Path(directory) / "tiles.csv"
        write_tile_list(source)
        tell(str(load_tiles(source, config, release=SAMPLE)))


def _build_sample_images(config: Config) -> None:
    tell("Painting its images (once, in about a quarter of a minute)")
    directory = config.images_root / SAMPLE
    processes = min(2, os.cpu_count() or 1)
    write_images(
        directory,
        processes=processes,
        progress=lambda what, part: tell(f"{what}  {part * 100:.0f} %"),
    )
    tell(str(images_loaded(config, directory, release=SAMPLE)))
