"""Grids of a split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.cost.arrays.split import check_splits, grids_of
from accmine.errors import InputError

SIZES = st.integers(1, 500)


def test_grids_multiply_to_their_split() -> None:
    splits = (1, 2, 4, 6, 64)
    grids = grids_of(splits)
    assert grids.starts[0] == 0
    assert grids.starts[-1] == len(grids.factors)
    for split, first, last in zip(splits, grids.starts, grids.starts[1:], strict=False):
        found = grids.factors[first:last]
        assert (found.prod(axis=1) == split).all()
        assert len(np.unique(found, axis=0)) == len(found)
        assert ((found > 1).sum(axis=1) <= 2).all()
    assert [last - first for first, last in zip(grids.starts, grids.starts[1:], strict=False)] == [1, 4, 10, 16, 34]


@given(sizes=st.tuples(SIZES, SIZES, SIZES, SIZES))
def test_shares_cover_the_product(sizes: tuple[int, int, int, int]) -> None:
    grids = grids_of((1, 2, 8, 32))
    arrays = tuple(np.array([size], dtype=np.int64) for size in sizes)
    shares, valid = np.stack(grids.shares(*arrays), axis=2)[0], grids.valid(*arrays)[0]
    assert (shares * grids.factors >= np.array(sizes)).all()
    assert valid[0]
    assert (valid == (grids.factors <= np.array(sizes)).all(axis=1)).all()


@pytest.mark.parametrize("splits", [[], [0], [1, -2], [1.5]])
def test_wrong_splits_are_refused(splits: list[int]) -> None:
    with pytest.raises(InputError, match="positive integers"):
        check_splits(splits)
