"""Loads, check and bound of a partition, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from accmine.errors import InputError
from accmine.problems.device_partition import (
    Node,
    Problem,
    Solution,
    bound,
    check,
    impossible,
    loads,
    score,
    shown,
    shown_bound,
)
from tests.samples.partition_sample import least_load, random_partition


def diamond(**changes: Any) -> Problem:
    nodes = (Node("a", 4, 1, 5), Node("b", 3, 2, 5, "g"), Node("c", 6, 3, 5), Node("d", 2, 4, 5, "g"))
    values: dict[str, Any] = {"nodes": nodes, "edges": ((0, 1), (0, 2), (1, 3), (2, 3)), "devices": 2}
    return Problem(**(values | changes))


def test_loads_by_hand() -> None:
    free = diamond(contiguous=False)
    assert loads(free, Solution((0, 0, 0, 0))) == (15, 0)
    assert loads(free, Solution((0, 1, 0, 1))) == (4 + 6 + 1 + 3, 3 + 2 + 1 + 3)  # a and c leave and arrive once each
    assert loads(free, Solution((0, 1, 1, 1))) == (4 + 1, 3 + 6 + 2 + 1)  # a arrives once although two need it
    assert score(free, Solution((0, 1, 1, 1))) == 12


def test_violations() -> None:
    free = diamond(contiguous=False, memory_bytes=12)
    assert check(free, Solution((0, 1, 0, 1))) == ()
    assert check(free, Solution((0, 0, 0, 0))) == ("memory_bytes: device 0 needs 20 bytes, 12 are there",)
    assert "group 'g' are on several devices" in check(free, Solution((0, 1, 1, 0)))[0]
    assert check(free, Solution((0, 1))) == ("2 devices for 4 nodes; one for each is needed",)
    assert "no device 2" in check(free, Solution((0, 2, 0, 2)))[0]
    falls = check(diamond(), Solution((1, 0, 1, 0)))
    assert "falls from 1 to 0 along the edge 'a' to 'b'" in falls[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"edges": ((0, 1), (1, 0))}, "a cycle of nodes; among or behind it: a, b"),
        ({"edges": ((0, 9),)}, r"edges\[0\]: joins nodes 0 and 9 of 4"),
        ({"devices": 0}, "devices: 0 is not allowed"),
        ({"nodes": ()}, "at least one node"),
        ({"nodes": (Node("a", 1), Node("a", 2)), "edges": ()}, "names must differ; twice: a"),
        ({"nodes": (Node("a", -1),), "edges": ()}, r"nodes\[0\].time: -1"),
    ],
)
def test_it_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        diamond(**changes)


@pytest.mark.parametrize("seed", range(30))
def test_bounds_and_conflicts_without_search(seed: int) -> None:
    problem = random_partition(seed, nodes=5)
    best = least_load(problem)
    if best is None:
        return
    assert bound(problem)[0] <= best
    assert impossible(problem) == ((), ())
    assert shown_bound(problem, best) == shown(problem, best) == best


def test_memory_that_nothing_fits() -> None:
    conflict, remedy = impossible(diamond(memory_bytes=6))
    assert conflict == ("memory_bytes",)
    assert remedy[0].startswith("memory_bytes: at least 10,")  # the group of b and d
    more = impossible(diamond(memory_bytes=6, nodes=tuple(Node(f"n{i}", 1, 0, 5) for i in range(4))))
    assert more[1][1] == "devices: at least 4"
