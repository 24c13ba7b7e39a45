"""Layers over several devices, against looking at every cut and every design of each part."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import combinations, pairwise, product
from math import inf, prod
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.ports import Stop
from accmine.problems.sparse_dataflow import (
    Budget,
    Choice,
    Least,
    Problem,
    Solution,
    check,
    interval_of,
    loss_of,
    tabulate,
)
from accmine.questions.sparse.buys import asked as question
from accmine.questions.sparse.devices import Site, Spread, spread
from accmine.questions.sparse.devices import cuts as searched
from accmine.questions.sparse.devices.cuts import part_of
from accmine.result import Status
from accmine.solving import solve
from accmine.sparse.layer import Layer, Level, binomial
from tests.samples.sparse_sample import random_dataflow


def _designs(part: Problem) -> list[tuple[int, int]]:
    """(interval, loss) of every design within the budgets."""
    each: list[list[Choice]] = [
        [own.choice(level, i) for level in range(len(own.cycles)) for i in range(len(own.rows))]
        for own in tabulate(part)
    ]
    every = map(Solution, product(*each))
    return sorted({(interval_of(part, own), loss_of(part, own)) for own in every if not check(part, own)})


def _front(designs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those that no other is at most equal to in both."""
    return [own for own in designs if not any(a <= own[0] and b <= own[1] and (a, b) != own for a, b in designs)]


def _link(problem: Problem, place: int, rate: Fraction | int | None, frequency_hz: float) -> Fraction:
    words = sum(
        layer.words[1]
        for a, layer in enumerate(problem.layers)
        if any(source == a and a < place <= target for source, target in problem.edges)
    )
    return Fraction(0) if rate is None else Fraction(-int(-words / Fraction(rate) // 1)) / Fraction(frequency_hz)


def _fastest(problem: Problem, sites: Sequence[Site], rates: Sequence[Fraction | int | None]) -> Fraction | None:
    """Seconds between two images by definition; ``None``: nothing fits."""
    count, found = len(problem.layers), []
    for own in combinations(range(1, count), len(sites) - 1):
        cut = (0, *own, count)
        parts = [_designs(part_of(problem, site, a, b)) for site, (a, b) in zip(sites, pairwise(cut), strict=True)]
        links = [_link(problem, p, r, s.frequency_hz) for p, r, s in zip(own, rates, sites, strict=False)]
        for picks in product(*map(_front, parts)):
            if problem.budget.loss is None or sum(loss for _, loss in picks) <= problem.budget.loss:
                times = [Fraction(t) / Fraction(s.frequency_hz) for (t, _), s in zip(picks, sites, strict=True)]
                found.append(max([*times, *links]))
    return min(found, default=None)


def _case(seed: int, devices: int) -> tuple[Problem, list[Site], list[Fraction | int | None]]:
    rng = random.Random(seed)
    problem = next(
        own
        for i in range(1000)
        if len((own := random_dataflow(1000 * seed + i, most_layers=3)).layers) >= devices
        and prod(table.cycles.size for table in tabulate(own)) < 20_000
    )
    if rng.random() < 0.6:
        joined = [(a, b) for b in range(len(problem.layers)) for a in range(b) if rng.random() < 0.7]
        problem = replace(problem, edges=tuple(joined))
    whole, sites = problem.budget, []
    for s in range(devices):
        share = rng.choice([Fraction(1), Fraction(2, 3), Fraction(1, 2)])
        budget = replace(whole, dsp=None if whole.dsp is None else int(whole.dsp * share), loss=None)
        sites.append(Site(f"d{s}", budget, rng.choice([200e6, 300e6, 250e6])))
    rates: list[Fraction | int | None] = [rng.choice([None, 1, Fraction(3, 2), 8]) for _ in range(devices - 1)]
    return problem, sites, rates


def _torn(seed: int) -> tuple[Problem, list[Site], list[Fraction | int | None]]:
    """Two devices that both need a shared loss: the fastest designs of the parts take more of it than there is."""
    rng = random.Random(f"torn {seed}")
    layers = []
    for i in range(4):
        losses = sorted(rng.sample(range(1, 60), 2))
        levels = [Level("0", (binomial(4, Fraction(1)),))]
        for k, loss in enumerate(losses, start=1):
            levels.append(Level(str(k), (binomial(4, Fraction(10 - 3 * k, 10)),), loss))
        size = rng.randint(3, 9), rng.randint(3, 9)
        layers.append(Layer(f"l{i}", 2, 2, (2, 2), size, size, groups=2, levels=tuple(levels)))
    edges = tuple((i, i + 1) for i in range(3)) if seed % 2 else ()
    budget = Budget(loss=rng.randint(20, 90))
    problem = Problem(tuple(layers), edges, budget, engines=("sparse",), memories=("bram",), slacks=(1,))
    sites = [
        Site(name, Budget(dsp=rng.randint(6, 11), lut=rng.choice([None, 9000])), rng.choice([200e6, 300e6, 250e6]))
        for name in "ab"
    ]
    return problem, sites, [rng.choice([None, 2])]


@pytest.mark.parametrize("seed", [2, 3, 4, 7, 9])
def test_a_torn_loss_against_all_cuts_and_designs(seed: int) -> None:
    problem, sites, rates = _torn(seed)
    truth, found = _fastest(problem, sites, rates), spread(problem, sites, rates)
    assert found.proven
    assert truth is not None
    assert found.seconds == found.bound_s == float(truth)
    _held(problem, sites, found)


def _held(problem: Problem, sites: Sequence[Site], found: Spread) -> None:
    """The parts are designs, in a row, within the shared loss."""
    assert [own.name for own in found.placed] == [site.name for site in sites]
    assert found.placed[0].first == 0
    assert found.placed[-1].last == len(problem.layers) - 1
    assert all(a.last + 1 == b.first for a, b in pairwise(found.placed))
    for site, own in zip(sites, found.placed, strict=True):
        assert own.problem == part_of(problem, site, own.first, own.last + 1)
        assert not check(own.problem, own.solution)
        assert (own.interval, own.loss) == (interval_of(own.problem, own.solution), loss_of(own.problem, own.solution))
        assert own.interval / site.frequency_hz <= found.seconds * (1 + 1e-12)
    assert problem.budget.loss is None or sum(own.loss for own in found.placed) <= problem.budget.loss


@pytest.mark.parametrize("devices", [2, 3])
@pytest.mark.parametrize("seed", range(14))
def test_against_all_cuts_and_designs(seed: int, devices: int) -> None:
    problem, sites, rates = _case(seed, devices)
    truth = _fastest(problem, sites, rates)
    found = spread(problem, sites, rates)
    assert found.proven
    if truth is None:
        assert found.placed == ()
        assert found.seconds == found.bound_s == inf
    else:
        assert found.seconds == found.bound_s == float(truth)
        _held(problem, sites, found)


@pytest.mark.parametrize("seed", range(12))
def test_a_single_device_is_the_plain_problem(seed: int) -> None:
    problem = random_dataflow(seed)
    plain = solve(problem)
    found = spread(problem, [Site("one", replace(problem.budget, loss=None), 200e6)])
    assert found.proven
    assert found.cuts == 1
    if plain.solution is None:
        assert plain.status is Status.INFEASIBLE
        assert found.placed == ()
    else:
        assert found.placed[0].interval == plain.objective
        assert found.seconds == pytest.approx(float(plain.objective or 0) / 200e6, rel=1e-12)


def test_the_shared_loss_is_shared() -> None:
    told = 0
    for seed in range(40):
        problem, sites, rates = _case(seed, 2)
        if not problem.budget.loss:
            continue
        found, free = spread(problem, sites, rates), spread(replace(problem, budget=Budget()), sites, rates)
        assert found.seconds >= free.seconds
        told += found.placed != () and found.seconds > free.seconds
    assert told > 3


def test_a_cut_leaves_no_edge_that_goes_back() -> None:
    problem = next(p for p in map(random_dataflow, range(99)) if len(p.layers) == 3)
    problem = replace(problem, edges=((1, 0), (1, 2)), budget=Budget())
    sites = [Site("a", Budget(), 200e6), Site("b", Budget(), 200e6)]
    assert [own.first for own in spread(problem, sites).placed] == [0, 2]
    with pytest.raises(InputError, match="3 devices are too many for 1 places where 3 layers can be cut"):
        spread(problem, [*sites, Site("c", Budget(), 200e6)])


def test_words_of_an_edge_over_a_device_pass_both_links_once() -> None:
    problem = next(p for p in map(random_dataflow, range(99)) if len(p.layers) == 3)
    problem = replace(problem, edges=((0, 1), (0, 2), (1, 2)), budget=Budget())
    sites = [Site(name, Budget(), 200e6) for name in "abc"]
    first, second = (layer.words[1] for layer in problem.layers[:2])
    assert [own.words for own in spread(problem, sites).placed] == [first, first + second, 0]


def test_no_time_leaves_a_bound() -> None:
    problem, sites, rates = _case(3, 2)
    truth = spread(problem, sites, rates)
    found = spread(problem, sites, rates, stop=Stop(seconds=0))
    assert not found.proven
    assert found.bound_s <= truth.seconds <= found.seconds


def test_bad_questions() -> None:
    problem, sites, _ = _case(1, 2)
    for more, match in (([1, 1], "2 links for 2 devices; needed: 1"), ([0], "0 words per cycle are not allowed")):
        with pytest.raises(InputError, match=match):
            spread(problem, sites, more)
    with pytest.raises(InputError, match="the interval only"):
        spread(replace(problem, least=Least("dsp", 10)), sites)
    with pytest.raises(InputError, match="at least one device"):
        spread(problem, [])


def _interrupted(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Ctrl-C comes with the question of this number."""
    asked: list[Any] = []

    def counted(*given: Any, **how: Any) -> Any:
        asked.append(given)
        if len(asked) == at:
            raise KeyboardInterrupt
        return question(*given, **how)

    monkeypatch.setattr(searched, "asked", counted)


def test_an_interrupt_leaves_an_answer_and_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    problem, sites, rates = _torn(3)
    truth, answers, at = spread(problem, sites, rates), 0, 0
    while True:
        _interrupted(monkeypatch, at := at + 1)
        found = spread(problem, sites, rates)
        monkeypatch.undo()
        assert found.bound_s <= truth.seconds <= found.seconds
        if not found.interrupted:
            break
        answers += found.placed != ()
        if found.placed:
            _held(problem, sites, found)
    assert found == truth
    assert 0 < answers < at - 1, "before some questions there is none"


def test_a_hint_is_a_beginning() -> None:
    problem, sites, rates = _torn(3)
    truth = spread(problem, sites, rates)
    found = spread(problem, sites, rates, stop=Stop(seconds=0), hint=truth.placed)
    assert (found.placed, found.exact_s) == (truth.placed, truth.exact_s)
    assert found.bound_s <= found.seconds


def test_a_gap_is_good_enough() -> None:
    problem, sites, rates = _torn(3)
    truth, found = spread(problem, sites, rates), spread(problem, sites, rates, stop=Stop(gap=1.0))
    assert found.placed
    assert found.looked <= truth.looked
    assert found.bound_s <= truth.seconds <= found.seconds
