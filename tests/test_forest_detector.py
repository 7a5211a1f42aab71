"""Models: from columns to scores, with what is missing, in every scale, and back from a file."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vo.errors import UsageError
from vo.forest.detector import Detector, depth_sums, fit, score
from vo.forest.files import detector_table, read_detector
from vo.forest.preparation import Missing, Scaling, fitted, prepared
from vo.forest.sample import empty, offered
from vo.forest.settings import Settings

KEY = b"vo.forest"


def _fit(
    columns: NDArray[Any], missing: Missing = Missing.DROP, scaling: Scaling = Scaling.NONE, **how: Any
) -> Detector:
    n_columns, n_rows = columns.shape
    policies = [missing] * n_columns
    required = [policy is Missing.DROP for policy in policies]
    seen = offered(empty(1, 5000, n_columns), columns, np.arange(n_rows), required=required)
    wanted = Settings(**{"ntrees": 30, "sample_size": 64, "seed": 4, **how})
    return fit(seen, [f"c{i}" for i in range(n_columns)], wanted, missing=policies, scaling=scaling)


def _normal(n_columns: int = 3, n_rows: int = 2000, seed: int = 1) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(n_columns, n_rows))


@settings(deadline=None, max_examples=25)
@given(
    shape=st.tuples(st.integers(1, 6), st.integers(2, 90)),
    kind=st.sampled_from([np.float32, np.float64, np.int32]),
    missing=st.sampled_from(Missing),
    scaling=st.sampled_from(Scaling),
    threads=st.integers(1, 3),
)
def test_rows_have_one_score_however_they_come(
    shape: tuple[int, int], kind: type, missing: Missing, scaling: Scaling, threads: int
) -> None:
    """Alone, together, by rows or columns, by one thread or several: the same bits, between 0 and 1."""
    columns = (5 * _normal(*shape)).astype(kind)
    columns[0, :2] = 0, 90  # something is not constant
    model = _fit(columns, missing, scaling)
    whole = score(model, columns, threads=threads)
    assert ((whole > 0) & (whole < 1)).all()
    assert np.array_equal(whole, score(model, np.asfortranarray(columns)))
    assert np.array_equal(whole, score(model, [column.copy() for column in columns]))
    assert np.array_equal(whole[1:2], score(model, columns[:, 1:2]))


def test_threads_share_many_rows() -> None:
    """More rows than one thread takes at a time, in features turned into principal components."""
    columns = _normal(4, 30_000)
    model = _fit(columns, scaling=Scaling.PCA)
    assert np.array_equal(score(model, columns), score(model, columns, threads=3))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_missing_values_follow_their_policy(bad: float) -> None:
    """Dropped rows have no score, the median is what it says, and what stands apart is strange."""
    columns = _normal()
    holed = columns[:, :200].copy()
    holed[1] = bad
    assert np.isnan(score(_fit(columns, Missing.DROP), holed)).all()
    model = _fit(columns, Missing.MEDIAN)
    filled = holed.copy()
    filled[1] = np.median(columns[1])
    assert np.array_equal(score(model, holed), score(model, filled))
    apart = _fit(columns, Missing.BRANCH)
    assert score(apart, holed).mean() > score(apart, columns[:, :200]).mean() + 0.05


def test_common_gaps_are_a_class_of_their_own() -> None:
    """Where half of the sample lacks a value, cuts part those rows from the others, and they are ordinary."""
    columns = _normal()
    columns[1, ::2] = np.nan
    model = _fit(columns, Missing.BRANCH, ntrees=200, extension=0)
    found = score(model, columns)
    assert found[::2].mean() < found[1::2].mean()
    assert found[::2].mean() < score(_fit(_normal(), Missing.BRANCH, extension=0), columns)[::2].mean() - 0.05


@pytest.mark.parametrize("scaling", [Scaling.STANDARD, Scaling.ROBUST, Scaling.PCA])
def test_scaled_features_do_not_depend_on_units(scaling: Scaling) -> None:
    """A column in other units gives the same scores, but for rounding."""
    columns = _normal()
    units = np.array([1.0, 1e6, 1e-3])[:, None]
    plain, other = _fit(columns, scaling=scaling), _fit(columns * units, scaling=scaling)
    assert score(plain, columns) == pytest.approx(score(other, columns * units), abs=0.02)


def test_principal_components_are_white() -> None:
    """The turned sample has no correlations; directions without width are left out."""
    columns = np.array([[2.0, 1.0], [1.0, 3.0]]) @ _normal(2)
    columns = np.concatenate([columns, columns[:1] + columns[1:]])
    turned = fitted(columns, [Missing.DROP] * 3, Scaling.PCA)
    features, usable = prepared(turned, columns)
    assert usable.all()
    assert np.cov(features, bias=True) == pytest.approx(np.eye(2), abs=1e-4)


def test_large_offsets_keep_their_digits() -> None:
    """Days around 59,000 differ by microseconds in double precision; singles would not tell them apart."""
    columns = _normal(2) * 1e-9
    moved = columns + 59000.0
    assert score(_fit(moved), moved) == pytest.approx(score(_fit(columns), columns), abs=0.08)
    assert score(_fit(moved), moved).std() > 0.02


def test_numbers_that_no_single_holds_are_far_away() -> None:
    """What lies 1e300 away is strange, and finite."""
    columns = _normal()
    far = np.array([[1e300], [-1e300], [0.0]])
    assert score(_fit(columns), far)[0] > score(_fit(columns), columns).max() - 0.02


def test_few_rows_are_all_taken() -> None:
    """With fewer rows than a sample takes, the sample is all of them, and so are depths measured."""
    model = _fit(_normal(2, 20), sample_size=256)
    assert model.forest.settings.sample_size == 20
    assert (model.forest.counts[:, 0] == 20).all()


@pytest.mark.parametrize("scaling", [Scaling.NONE, Scaling.STANDARD, Scaling.ROBUST, Scaling.PCA])
def test_constant_columns_do_no_harm(scaling: Scaling) -> None:
    """They part nothing in the sample; only PCA leaves them out, so that another value goes unnoticed."""
    columns = _normal()
    columns[1] = 7.0
    model = _fit(columns, scaling=scaling)
    assert np.isfinite(score(model, columns)).all()
    other = columns[:, :100].copy()
    other[1] = 70.0
    rise = (score(model, other) - score(model, columns[:, :100])).mean()
    assert rise > 0.02 if scaling is not Scaling.PCA else rise == 0


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (np.full((2, 50), np.nan), "c0 has no value"),
        (np.zeros((1001, 4)), "1 to 1000 features"),
        (np.zeros((2, 1)), "at least 2 rows"),
    ],
)
def test_columns_that_make_no_model_are_refused(columns: NDArray[Any], words: str) -> None:
    """The error says what is wrong with them."""
    with pytest.raises(UsageError, match=words):
        _fit(columns, Missing.MEDIAN)


def test_rows_of_another_width_are_refused() -> None:
    """A model takes the columns it was fitted on."""
    with pytest.raises(UsageError, match="has 3 features, the rows have 2"):
        score(_fit(_normal()), _normal(2))


@pytest.mark.parametrize("scaling", list(Scaling))
def test_models_survive_a_file(scaling: Scaling) -> None:
    """Through Parquet and back a model gives the same bits."""
    columns = _normal()
    model = _fit(columns, Missing.BRANCH, scaling, extension=1)
    buffer = io.BytesIO()
    pq.write_table(detector_table(model), buffer)
    read = read_detector(pq.read_table(io.BytesIO(buffer.getvalue())))
    assert read.names == model.names
    assert all(map(np.array_equal, depth_sums(model, columns), depth_sums(read, columns)))


def _described(table: pa.Table, **changes: Any) -> pa.Table:
    described = json.loads(table.schema.metadata[KEY]) | changes
    return table.replace_schema_metadata({KEY: json.dumps(described).encode()})


def _patched(table: pa.Table, name: str, place: int, value: float) -> pa.Table:
    lists = table.column(name).combine_chunks()
    flat = lists.flatten().to_numpy().copy()
    flat[place] = value
    patched = pa.FixedSizeListArray.from_arrays(pa.array(flat), lists.type.list_size)
    return table.set_column(table.schema.get_field_index(name), name, patched)


HOSTILE: dict[str, Callable[[pa.Table], pa.Table]] = {
    "no metadata": lambda table: table.replace_schema_metadata(None),
    "no JSON": lambda table: table.replace_schema_metadata({KEY: b"{"}),
    "a list": lambda table: table.replace_schema_metadata({KEY: b"[]"}),
    "another version": lambda table: _described(table, format=2),
    "a feature too high": lambda table: _patched(table, "features", 3, 3),
    "a negative feature": lambda table: _patched(table, "features", 3, -1),
    "a weight that is none": lambda table: _patched(table, "weights", 0, np.nan),
    "a threshold that is none": lambda table: _patched(table, "thresholds", 0, np.nan),
    "rows from nowhere": lambda table: _patched(table, "counts", 1, 60),
    "too many rows": lambda table: _patched(table, "counts", 0, 2**31 - 1),
    "no trees": lambda table: table.slice(0, 0),
    "too many trees": lambda table: pa.concat_tables([table] * 2),
    "a column missing": lambda table: table.drop_columns(["counts"]),
    "other settings": lambda table: _described(table, settings={"ntrees": 30}),
    "settings unknown": lambda table: _described(table, settings={"leaves": 3}),
    "too deep": lambda table: _described(
        table, settings={"ntrees": 30, "sample_size": 64, "extension": 2, "depth_limit": 16, "seed": 4}
    ),
    "names too few": lambda table: _described(table, names=["a"]),
    "a policy unknown": lambda table: _described(table, missing=["guess"] * 3),
    "a centre that is text": lambda table: _described(table, centre="abc"),
    "a scale that is deep": lambda table: _described(table, turn=[[[1.0]]]),
    "a centre beyond all numbers": lambda table: _described(table, centre=[10**400] * 3),
    "weights that are no lists": lambda table: table.set_column(1, "weights", pa.array([1.0] * 30)),
    "features that are text": lambda table: _described(table, n_features="3"),
}


@pytest.mark.parametrize("title", HOSTILE)
def test_files_that_are_no_models_are_refused(title: str) -> None:
    """Nothing in a file makes a loop look outside its arrays, or ends in anything but an error of usage."""
    table = detector_table(_fit(_normal()))
    with pytest.raises(UsageError, match=r"damaged|no detector"):
        read_detector(HOSTILE[title](table))
