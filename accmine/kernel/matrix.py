"""Max-plus matrices of whole cycles: products, and powers applied to what follows them.

``(A ⊗ B)[i, j] = max over k of A[i, k] + B[k, j]``; ``NEVER`` is the neutral element of max. Entries are weights of
paths, hence ``NEVER`` or 0 … 2^62 − 1, so that no sum leaves int64.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError

__all__ = ["LIMIT", "NEVER", "Matrix", "identity", "overflow", "power", "product"]

Matrix: TypeAlias = npt.NDArray[np.int64]

LIMIT = 1 << 62
"""Finite entries are below."""
NEVER = -LIMIT
"""Any negative entry means it; products write this one."""


def overflow(what: str = "the program") -> InputError:
    """The refusal of what takes too long for int64."""
    return InputError(f"{what} takes 2^62 cycles or more, beyond what int64 holds; allowed are fewer")


def identity(n: int) -> Matrix:
    """0 on the diagonal."""
    out = np.full((n, n), NEVER, np.int64)
    np.fill_diagonal(out, 0)
    return out


def product(a: Matrix, b: Matrix) -> Matrix:
    """``a ⊗ b``.

    Raises
    ------
    InputError
        An entry is 2^62 or more.
    """
    out = np.full((a.shape[0], b.shape[1]), NEVER, np.int64)
    if b.shape[1] == 1:
        if b.shape[0]:
            np.max(a + b[:, 0], axis=1, out=out[:, 0])
    else:
        sums = np.empty_like(out)
        for k in np.flatnonzero((a >= 0).any(axis=0) & (b >= 0).any(axis=1)):
            np.add(a[:, k, None], b[k], out=sums)
            np.maximum(out, sums, out=out)
    if out.size and out.max() >= LIMIT:
        raise overflow()
    out[out < 0] = NEVER
    return out


def power(a: Matrix, k: int, right: Matrix) -> Matrix:
    """``a^k ⊗ right`` for k ≥ 0.

    Rows that are another row plus a constant, and columns likewise or without entries, say the same thing twice: then
    a = P ⊗ B over fewer states, and a^k = P ⊗ (B ⊗ P)^(k − 1) ⊗ B.
    """
    if k == 0:
        return right
    for factors in (_by_rows, _by_columns):
        p, b = factors(a)
        if 10 * b.shape[0] <= 9 * a.shape[0]:  # else the products cost more than they save
            return product(p, power(product(b, p), k - 1, product(b, right)))
    n, m = right.shape
    if k * m <= n * (k.bit_length() - 1):
        for _ in range(k):
            right = product(a, right)
        return right
    while True:
        if k & 1:
            right = product(a, right)
        k >>= 1
        if not k:
            return right
        a = product(a, a)


def _by_rows(a: Matrix) -> tuple[Matrix, Matrix]:
    """``a`` = P ⊗ B, where B has one of all rows that differ by a constant, and none that is empty."""
    kind, offset, first = _parallel(a)
    b = a[first] - np.maximum(offset[first], 0)[:, None]
    b[a[first] < 0] = NEVER
    p = np.full((a.shape[0], len(first)), NEVER, np.int64)
    some = np.flatnonzero(kind >= 0)
    p[some, kind[some]] = offset[some]
    return p, b


def _by_columns(a: Matrix) -> tuple[Matrix, Matrix]:
    b, p = _by_rows(np.ascontiguousarray(a.T))
    return np.ascontiguousarray(p.T), np.ascontiguousarray(b.T)


def _parallel(a: Matrix) -> tuple[npt.NDArray[np.int64], Matrix, list[int]]:
    """Class of each row (−1: empty) by its shape, its least entry, and the first row of each class."""
    finite = a >= 0
    least = np.where(finite, a, LIMIT - 1).min(axis=1, initial=LIMIT - 1)
    shapes = np.where(finite, a - least[:, None], NEVER)
    seen: dict[bytes, int] = {}
    first: list[int] = []
    kind = np.full(a.shape[0], -1, np.int64)
    for row in np.flatnonzero(finite.any(axis=1)):
        key = shapes[row].tobytes()
        if key not in seen:
            seen[key] = len(first)
            first.append(int(row))
        kind[row] = seen[key]
    return kind, least, first
