"""Pools of worker processes."""

from __future__ import annotations

import operator
import time

from accmine.workers import stop_workers, workers


def test_stopping_one_pool_leaves_the_others() -> None:
    with workers(2, []) as outer:
        assert outer is not None
        assert outer.submit(abs, -1).result() == 1
        with workers(2, []) as inner:
            assert inner is not None
            inner.submit(time.sleep, 60)
            stop_workers(inner)
        assert outer.submit(abs, -2).result() == 2


def test_inherited_objects_keep_their_identity_in_a_worker() -> None:
    items = [object()]
    with workers(2, [items]) as pool:
        assert pool is not None
        assert pool.submit(operator.is_, items, items).result()
        assert not pool.submit(operator.is_, [1], [1]).result()


def test_one_worker_is_this_process() -> None:
    with workers(1, []) as pool:
        assert pool is None
