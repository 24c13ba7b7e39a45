"""Products and powers of max-plus matrices against the definition."""

from __future__ import annotations

import numpy as np
import pytest

from accmine.errors import InputError
from accmine.kernel.matrix import LIMIT, NEVER, Matrix, identity, power, product, reduced


def by_definition(a: Matrix, b: Matrix) -> list[list[int]]:
    x, y = a.tolist(), b.tolist()
    sums = [[[r[k] + y[k][j] for k in range(len(y)) if r[k] >= 0 <= y[k][j]] for j in range(b.shape[1])] for r in x]
    return [[max(cell, default=NEVER) for cell in row] for row in sums]


def some(rng: np.random.Generator, rows: int, columns: int, share: float) -> Matrix:
    entries = rng.integers(0, 20, (rows, columns))
    return np.where(rng.random((rows, columns)) < share, entries, NEVER).astype(np.int64)


@pytest.mark.parametrize("seed", range(40))
def test_products_are_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, q, m = (int(size) for size in rng.integers(1, 9, 3))
    a, b = some(rng, n, q, rng.random()), some(rng, q, m, rng.random())
    assert product(a, b).tolist() == by_definition(a, b)


@pytest.mark.parametrize("seed", range(60))
def test_powers_are_products_one_after_another(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 9))
    a = some(rng, n, n, (0.1, 0.3, 0.7, 1.0)[seed % 4])
    if seed % 3 and n > 2:  # rows and columns that say the same, and delays
        a[0], a[:, 1] = np.where(a[-1] >= 0, a[-1] + 3, NEVER), np.where(a[:, -1] >= 0, a[:, -1] + 5, NEVER)
        a[2] = identity(n)[0]
    right = some(rng, n, (1, 3, n)[seed % 3], 0.8)
    now = right
    for k in range(26):
        assert power(a, k, right).tolist() == now.tolist()
        now = product(a, now)
    by_hundred = right
    for _ in range(40):
        by_hundred = power(a, 25, by_hundred)
    assert power(a, 1000, right).tolist() == by_hundred.tolist()


def test_states_that_say_the_same_are_one() -> None:
    a = np.array([[3, 1, NEVER], [5, 3, NEVER], [NEVER, NEVER, NEVER]], np.int64)
    small = reduced(a)
    # y = max(x0 + 3, x1 + 1); then x0 = y, x1 = y + 2
    assert small.core.tolist() == [[3]]
    assert power(a, 5, identity(3)).tolist() == [[15, 13, NEVER], [17, 15, NEVER], [NEVER] * 3]


def test_no_states_and_no_entries() -> None:
    empty = np.zeros((0, 0), np.int64)
    assert power(empty, 7, empty).shape == (0, 0)
    never = np.full((3, 3), NEVER)
    assert power(never, 7, identity(3)).tolist() == never.tolist()
    assert power(never, 0, identity(3)).tolist() == identity(3).tolist()


def test_what_leaves_int64_is_refused_and_what_does_not_is_exact() -> None:
    a = np.array([[(1 << 40)]], np.int64)
    one = identity(1)
    assert power(a, (1 << 22) - 1, one)[0, 0] == ((1 << 22) - 1) << 40
    with pytest.raises(InputError, match=r"2\^62 cycles or more"):
        power(a, 1 << 22, one)
    high = np.array([[LIMIT - 1, NEVER], [NEVER, LIMIT - 1]], np.int64)
    with pytest.raises(InputError, match=r"2\^62 cycles or more"):
        product(high, high)
    assert product(high, np.array([[0], [NEVER]], np.int64)).tolist() == [[LIMIT - 1], [NEVER]]
