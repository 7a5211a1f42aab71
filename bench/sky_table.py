"""The table that bench/sky.py searches: a survey with a deep field and clusters, the same each time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vo.config import Config
from vo.load import load_release

RELEASE = "skybench"
MAIN = f"{RELEASE}.objects"
NEARBY = f"{RELEASE}.nearby"
CHUNK_ROWS = 1_000_000
BANDS = "griz"

DESCRIPTION = f"""\
name: {RELEASE}
description: Positions and magnitudes for measurements.
tables:
  - name: objects
    primaryKey: id
    columns:
      - {{name: id, datatype: long, ivoa:ucd: meta.id;meta.main}}
      - {{name: ra, datatype: double, ivoa:unit: deg, ivoa:ucd: pos.eq.ra;meta.main}}
      - {{name: dec, datatype: double, ivoa:unit: deg, ivoa:ucd: pos.eq.dec;meta.main}}
      - {{name: mag_g, datatype: float, ivoa:unit: mag}}
      - {{name: mag_r, datatype: float, ivoa:unit: mag}}
      - {{name: mag_i, datatype: float, ivoa:unit: mag}}
      - {{name: mag_z, datatype: float, ivoa:unit: mag}}
  - name: nearby
    description: As an upload would be, in no order and without an index.
    columns:
      - {{name: id, datatype: long}}
      - {{name: ra, datatype: double, ivoa:unit: deg, ivoa:ucd: pos.eq.ra}}
      - {{name: dec, datatype: double, ivoa:unit: deg, ivoa:ucd: pos.eq.dec}}
"""


@dataclass(frozen=True)
class Field:
    """A region between circles of right ascension and declination, in degrees; west may be negative."""

    name: str
    west: float
    east: float
    south: float
    north: float

    @property
    def area(self) -> float:
        """Square degrees."""
        height = np.sin(np.radians(self.north)) - np.sin(np.radians(self.south))
        return float((self.east - self.west) * np.degrees(height))

    def positions(self, rows: int, random: np.random.Generator, margin: float = 0) -> np.ndarray:
        """Positions spread evenly over it, `margin` degrees away from its border; shape (rows, 2)."""
        low, high = np.sin(np.radians([self.south + margin, self.north - margin]))
        dec = np.degrees(np.arcsin(random.uniform(low, high, rows)))
        across = margin / np.cos(np.radians(max(abs(self.south), abs(self.north))))
        ra = random.uniform(self.west + across, self.east - across, rows)
        return np.column_stack([ra % 360, dec])


WIDE = Field("wide", -44, 44, -65, 5)
DEEP = Field("deep", 10, 25, -35, -25)
CLUSTER_ROWS = 500
CLUSTER_SIGMA = 2 / 60


def build(data: Path, rows: int, nearby: int) -> Config:
    """Write the tables to `data`/source and load them as users load theirs; kept for the next run."""
    config = Config(data_dir=data)
    if not (config.releases_dir / f"{RELEASE}.duckdb").exists():
        source = data / "source"
        source.mkdir(parents=True, exist_ok=True)
        (source / "release.yaml").write_text(DESCRIPTION)
        random = np.random.default_rng(20)
        sample = _write(source / "objects.parquet", rows, nearby, random)
        _write_nearby(source / "nearby.parquet", sample, random)
        print(load_release(source, config))
    return config


def _write(path: Path, rows: int, nearby: int, random: np.random.Generator) -> np.ndarray:
    """Write the objects in no order of the sky; `nearby` of their positions are the answer."""
    sample, writer, first = [], None, 0
    for positions in _positions(rows, random):
        count = len(positions)
        columns = {"id": np.arange(first, first + count), "ra": positions[:, 0], "dec": positions[:, 1]}
        for band in BANDS:
            columns[f"mag_{band}"] = random.normal(23, 1.5, count).astype("f4")
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
        sample.append(positions[:: max(1, rows // nearby)])
        first += count
    assert writer is not None
    writer.close()
    return np.concatenate(sample)[:nearby]


def _positions(rows: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Half of the rows over the survey, 45 in 100 in its deep field, 5 in 100 in clusters of galaxies."""
    clusters = WIDE.positions(max(1, rows // 20 // CLUSTER_ROWS), random, margin=1)
    done = 0
    while done < rows:
        count = min(CHUNK_ROWS, rows - done)
        wide, deep = count // 2, count * 45 // 100
        members = clusters[random.integers(0, len(clusters), count - wide - deep)]
        offset = random.normal(0, CLUSTER_SIGMA, members.shape)
        offset[:, 0] /= np.cos(np.radians(members[:, 1]))
        members = members + offset
        members[:, 0] %= 360
        chunk = np.concatenate([WIDE.positions(wide, random), DEEP.positions(deep, random), members])
        yield random.permutation(chunk)
        done += count


def _write_nearby(path: Path, positions: np.ndarray, random: np.random.Generator) -> None:
    """The positions of another telescope: an arcsecond or so away from ours."""
    ra, dec = positions.T
    offsets = random.normal(0, 0.8 / 3600, (2, len(positions)))
    shifted = {"ra": (ra + offsets[0] / np.cos(np.radians(dec))) % 360, "dec": dec + offsets[1]}
    pq.write_table(pa.table({"id": np.arange(len(positions)), **shifted}), path)
