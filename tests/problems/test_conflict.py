"""Conflicts: every set is minimal, disjoint ones are all found, and every limit is found where it is written."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import CheckError, InfeasibleError
from accmine.files import load_yaml
from accmine.problems.conflict import (
    DEFAULT,
    MOST,
    ConflictingLimit,
    conflicts,
    infeasible,
    located,
    minimal_conflict,
    where_of,
)

NAMES = tuple("abcdefg")
CORES = st.lists(st.frozensets(st.sampled_from(NAMES), min_size=1, max_size=4), max_size=5)


def feasible_unless(cores: list[frozenset[str]]) -> object:
    """A question whose answer is no while all limits of one of ``cores`` hold."""
    return lambda kept: not any(core <= kept for core in cores)


@given(CORES, st.permutations(NAMES))
def test_a_conflict_is_minimal(cores: list[frozenset[str]], order: list[str]) -> None:
    feasible = feasible_unless(cores)
    found = minimal_conflict(order, feasible)  # type: ignore[arg-type]
    assert bool(found) == bool(cores)
    if found:
        assert frozenset(found) in cores
        assert not feasible(frozenset(found))  # type: ignore[operator]
        for name in found:
            assert feasible(frozenset(found) - {name})  # type: ignore[operator]


@given(CORES, st.permutations(NAMES))
def test_conflicts_tell_when_one_change_is_enough(cores: list[frozenset[str]], order: list[str]) -> None:
    feasible = feasible_unless(cores)
    found = conflicts(order, feasible)  # type: ignore[arg-type]
    assert len(found) == len(set(found)) <= MOST
    for members in found:
        assert frozenset(members) in cores
    if len(found) == 1:  # every member alone resolves everything
        for name in found[0]:
            assert feasible(frozenset(NAMES) - {name})  # type: ignore[operator]
    resolved = frozenset(name for members in found for name in members)
    assert feasible(frozenset(NAMES) - resolved)  # type: ignore[operator]


def test_many_conflicts_are_cut_off() -> None:
    names = [f"n{i}" for i in range(2 * MOST)]
    found = conflicts(names, lambda kept: not kept)
    assert len(found) == MOST
    pairs = list(combinations(names[:5], 2))
    assert len(conflicts(names, lambda kept: not any(set(pair) <= kept for pair in pairs))) <= MOST


TEXT = """name: x
limits:
  area: 300 mm^2
workloads:
  - {use: a, batch: 8}
"""


@pytest.mark.parametrize(
    ("place", "where"),
    [
        (("limits", "area"), "s.yaml:3:9"),
        (("limits", "tdp"), DEFAULT),
        (("workloads", 0, "batch"), "s.yaml:5:21"),
        (("workloads", 1, "batch"), DEFAULT),
        (("workloads", "batch"), DEFAULT),
        (("name", "area"), DEFAULT),
    ],
)
def test_where(place: tuple[str | int, ...], where: str) -> None:
    assert where_of(load_yaml(text=TEXT, name="s.yaml"), place) == where


def test_where_an_override_is() -> None:
    document = load_yaml(text=TEXT, name="s.yaml", overrides=["limits.tdp=3 W"])
    assert where_of(document, ("limits", "tdp")) == "--set limits.tdp=3 W"


def test_the_error_of_limits() -> None:
    members = [
        ConflictingLimit("limits.area", "300 mm^2", "at least 352.4 mm^2", ("limits", "area")),
        ConflictingLimit("accelerator.hbm", "16 GiB", "at least 20 GiB", ("accelerator", "hbm"), "wham.yaml:1:2"),
        ConflictingLimit("device_limits.area", "858 mm^2", "at least 900 mm^2", ("device_limits", "area")),
    ]
    error = infeasible("no", members, ["system.pipeline: 2 works"])
    assert str(error).split("\n") == [
        "no",
        "system.pipeline: 2 works",
        "limits.area: at least 352.4 mm^2",
        "accelerator.hbm: 16 GiB (wham.yaml:1:2) -> at least 20 GiB",
        "device_limits.area: at least 900 mm^2",
    ]
    placed = located(error, load_yaml(text=TEXT, name="s.yaml"))
    assert str(placed).split("\n") == [
        "no",
        "system.pipeline: 2 works",
        "limits.area: 300 mm^2 (s.yaml:3:9) -> at least 352.4 mm^2",
        "accelerator.hbm: 16 GiB (wham.yaml:1:2) -> at least 20 GiB",
        "device_limits.area: 858 mm^2 (default) -> at least 900 mm^2",
    ]
    assert (placed.conflict, placed.remedy) == (error.conflict, error.remedy)
    plain = InfeasibleError("no", remedy=["larger"])
    assert located(plain, load_yaml(text=TEXT)) is plain


def test_the_error_of_limits_that_nobody_knows() -> None:
    error = infeasible("no", [], ["interrupted"])
    assert (str(error), error.conflict, error.remedy) == ("no\ninterrupted", (), ("interrupted",))
    with pytest.raises(CheckError, match=r"^no; but no cause of it is known$"):
        infeasible("no", [])
