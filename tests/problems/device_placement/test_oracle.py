"""Answers, checks and bounds against a simulation that is written from the documents alone."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import permutations
from math import inf
from typing import Any, Literal

import pytest

from accmine.problems.device_placement import Edge, Layer, Option, Pipelining, Problem, check, score, shown, shown_bound
from accmine.problems.device_placement.problem import GROUPS
from accmine.result import Status
from accmine.solving import bound_of, solve
from accmine.system import Cluster, Level
from accmine.workload.shard import Collective
from tests.samples.placement_oracle import Oracle

ROUNDING = 3e-9
"""Durations are rounded up to ticks, each step by about 1e-9."""

SUMS: tuple[Literal["all-reduce", "all-gather", "reduce-scatter"], ...] = ("all-reduce", "all-gather", "reduce-scatter")

PIPELININGS = (
    *(Pipelining(name) for name in ("1f1b", "gpipe", "zb-h1", "zb-h2", "interleaved")),
    Pipelining("interleaved", 2),
    Pipelining("interleaved", 3),
)


def drawn(seed: int) -> Problem:
    """Three to seven unequal layers, with everything that a problem may leave open."""
    r = random.Random(seed)
    uniform = r.random() < 0.7
    form = r.choice(["chain", "skip", "skip", "graph"])
    layers = min(r.randint(3, 7), 4 if not uniform else 5 if form == "graph" else 7)
    expert, degrees = r.choice([1, 1, 1, 2]), r.choice([(1,), (1, 2), (1, 2), (1, 4), (2,), (1, 3)])
    kinds = [(t, again) for t in degrees for again in r.choice([("none",), ("none", "full")])]
    common = tuple(option(r, *kind, expert) for kind in kinds)
    own = [common if r.random() < 0.4 else tuple(option(r, *kind, expert) for kind in kinds) for _ in range(layers)]
    if r.random() < 0.3:
        own[-1] = own[-1][:1]

    def size() -> int:
        return r.choice([0, r.randrange(1, 9000), r.randrange(1, 90000)])

    pairs = {(r.randrange(j) if form == "graph" else j - 1, j) for j in range(1, layers)}
    if form != "chain":
        pairs |= {(i, j) for j in range(2, layers) for i in range(j - 1) if r.random() < 0.3}
    place = r.sample(range(layers), layers) if r.random() < 0.3 else list(range(layers))
    edges = tuple(
        Edge(place[i], place[j], size(), tuple((t, size()) for t in degrees if uniform and r.random() < 0.2))
        for i, j in sorted(pairs)
    )
    devices = max(r.choice([2, 3, 4, 4, 5, 6, 8, 12]), *degrees)
    microbatches = max(r.choice([1, 2, 3, 4, 4, 6, 8]), expert)
    pipelinings = tuple(r.sample(PIPELININGS, r.choice([1, 1, 2, 3])))
    most = min(devices, microbatches)
    return Problem(
        tuple(Layer(f"l{i}", own[place.index(i)]) for i in range(layers)),
        edges,
        devices,
        microbatches,
        r.choice([10**9, 10**9, r.randrange(8000, 40000) * layers // 3, r.randrange(4000, 20000)]),
        cluster(r, devices),
        pipelinings,
        tuple(r.sample(list(permutations(GROUPS)), r.choice([1, 1, 2]))),
        tuple(r.sample([0, 1, 2, 3], r.choice([1, 1, 2]))),
        data=(r.randrange(expert, most + 1, expert),) if r.random() < 0.2 else (),
        uniform=uniform,
        expert=expert,
        gradient_overlap=r.choice([0, 0, 0.5, 1]),
    )


def option(r: random.Random, tensor: int, recompute: str, expert: int) -> Option:
    """A way to run a layer, with exchanges now and then and experts in part of them."""
    forward = r.randint(1, 60) * 10 ** -r.choice([2, 3, 3]) / tensor**0.8
    backward = 2 * forward * r.uniform(0.6, 1.2) + (forward if recompute == "full" else 0)
    sizes = [r.randrange(4000), r.randrange(4000), r.randrange(9000)]
    experts = [r.randrange(size + 1) if expert > 1 and r.random() < 0.6 else 0 for size in sizes]

    def exchanges() -> tuple[Collective, ...]:
        found = [Collective(r.choice(SUMS), r.randrange(5000)) for _ in range(r.choice([0, 0, 1, 2]))]
        return (*found, *([Collective("all-to-all", r.randrange(5000), "expert")] if expert > 1 else []))

    return Option(
        tensor, recompute, round(forward, r.choice([4, 9])), backward, round(r.uniform(0, 0.05), 5),
        weight_s=r.choice([0, backward / 2, r.uniform(0, backward)]),
        forward_collectives=exchanges(), backward_collectives=exchanges(),
        weight_bytes=sizes[0], gradient_bytes=sizes[1], optimizer_bytes=sizes[2],
        stash_bytes=r.randrange(3000) // (4 if recompute == "full" else 1), working_bytes=r.randrange(3000),
        expert_weight_bytes=experts[0], expert_gradient_bytes=experts[1], expert_optimizer_bytes=experts[2],
    )  # fmt: skip


def cluster(r: random.Random, devices: int) -> Cluster:
    """One or two levels; outermost rings are left out, as only the product knows how many devices close them."""
    inside = r.choice([0, 2, 2, 3, 4])
    levels = []
    for i, size in enumerate([inside, -(-devices // max(inside, 1)) * max(inside, 1)]):
        if size:
            forms = ("switch", "fat-tree", "point-to-point", *(["ring"] if not i else []))
            bandwidth, latency = 10 ** r.uniform(4, 6), r.choice([0, 1e-4, 5e-3])
            levels.append(
                Level(str(i), size, bandwidth, latency, r.choice(forms), r.choice([1, 0.7]), r.choice([0, 1e-3]))
            )
    return Cluster("drawn", tuple(levels))


def agrees(problem: Problem, seed: int, *solvers: str) -> Status:
    """The status, after solvers and some placements were compared with the oracle."""
    own = Oracle(problem)
    least, best = own.best()
    for solver in solvers:
        found = solve(problem, solver)
        assert (found.status is Status.INFEASIBLE) == (best is None), (seed, solver)
        if best is not None:
            assert found.status is Status.OPTIMAL
            assert found.objective == pytest.approx(least, rel=ROUNDING, abs=0), (seed, solver)
            assert found.bound is not None
            assert found.bound <= least * (1 + 1e-13), (seed, solver)
    free = bound_of(problem)[0]
    every = list(own.placements())
    for placement in random.Random(seed).sample(every, min(8, len(every))):
        assert (check(problem, placement) == ()) == own.fits(placement), (seed, placement)
        if own.fits(placement):
            step, mine = score(problem, placement), own.step_s(placement)
            assert shown(problem, step) == pytest.approx(mine, rel=ROUNDING, abs=0), (seed, placement)
            assert shown_bound(problem, step) <= mine * (1 + 1e-13)
            assert (free or 0) <= mine * (1 + 1e-13)
    return Status.INFEASIBLE if least == inf else Status.OPTIMAL


def names(problem: Problem) -> tuple[str, ...]:
    """Solvers that take a problem."""
    chunked = any(own.chunks > 1 for own in problem.pipelinings)
    chain = problem.chain and not (chunked and not problem.uniform)
    return (*(["chain"] if chain else []), *([] if chunked else ["cp-sat"]))


@pytest.mark.parametrize("seed", range(24))
def test_solvers_checks_and_bounds_say_what_the_documents_say(seed: int) -> None:
    problem = drawn(seed)
    agrees(problem, seed, *names(problem)[:1])


@pytest.mark.full
def test_two_hundred_more() -> None:
    found = []
    for seed in range(1000, 1200):
        problem = drawn(seed)
        found.append(agrees(problem, seed, *names(problem)[:1]))
    assert found.count(Status.OPTIMAL) > 100
    assert Status.INFEASIBLE in found


@pytest.mark.parametrize("solver", ["chain", "cp-sat", "brute-force"])
@pytest.mark.parametrize(("pipeline", "data"), [(2, 1), (1, 2)])
def test_orders_differ_where_only_two_groups_have_several_devices(solver: str, pipeline: int, data: int) -> None:
    """The tensor group lies in a node of two in the second order alone, also without replicas or stages."""
    exchange = (Collective("all-reduce", 10**6),)
    one = Option(2, "none", 0.1, 0.2, 0.0, forward_collectives=exchange, backward_collectives=exchange)
    cluster = Cluster("two", (Level("node", 2, 1e9, 0.0), Level("all", None, 1e6, 0.0)))
    far, near = ("pipeline", "data", "tensor"), ("tensor", "data", "pipeline")
    layers = (Layer("a", (one,)), Layer("b", (one,)))
    problem = Problem(
        layers, (Edge(0, 1, 0),), 4, 2, 10**9, cluster, orders=(far, near), pipeline=(pipeline,), data=(data,)
    )
    found = solve(problem, solver)
    assert found.solution is not None
    assert found.solution.order == near
    # all-reduces take 1 ms in the node; three passes of a layer, or both layers of one microbatch
    passes = 3 * (0.3 + 0.002) if pipeline == 2 else 2 * (0.3 + 0.002)
    assert found.objective == pytest.approx(passes, rel=1e-8)
    assert found.status is Status.OPTIMAL


@pytest.mark.parametrize("solver", ["chain", "cp-sat", "brute-force"])
def test_ranks_of_unequal_degrees_may_be_more_than_the_cluster_has_devices(solver: str) -> None:
    """Four stages of one device each beside a degree of four: sixteen ranks on four devices."""
    each = (Option(1, "none", 0.1, 0.2, 0.0), Option(4, "none", 0.09, 0.19, 0.0))
    layers = tuple(Layer(f"l{i}", each) for i in range(4))
    edges = tuple(Edge(i, i + 1, 1000) for i in range(3))
    cluster = Cluster("four", (Level("all", 4, 1e9, 0.0),))
    found = solve(Problem(layers, edges, 4, 64, 10**9, cluster, uniform=False, data=(1,)), solver)
    assert found.status is Status.OPTIMAL
    assert found.objective == pytest.approx((64 + 3) * 0.3, rel=1e-4)  # and six messages of a microsecond


def renamed(problem: Problem) -> Problem:
    """The same problem with other names."""
    layers = tuple(replace(layer, name=f"other {i}") for i, layer in enumerate(reversed(problem.layers)))[::-1]
    return replace(problem, layers=layers)


@pytest.mark.parametrize("seed", range(200, 210))
def test_more_of_anything_is_no_worse_and_names_are_nothing(seed: int) -> None:
    problem = drawn(seed)
    (solver,) = names(problem)[:1] or ("brute-force",)

    def least(one: Problem) -> float:
        found = solve(one, solver)
        assert found.status in (Status.OPTIMAL, Status.INFEASIBLE)
        return inf if found.objective is None else found.objective

    own = least(problem)
    assert least(renamed(problem)) == own
    more: dict[str, Any] = {
        "memory_bytes": problem.memory_bytes + 5000,
        "zero": tuple({*problem.zero, 0, 1}),
        "data": (),
    }
    for change, value in more.items():
        assert least(replace(problem, **{change: value})) <= own * (1 + ROUNDING)
    widest = max(o.tensor for layer in problem.layers for o in layer.options)
    if problem.devices > max(widest, problem.expert, *problem.data, 1):
        assert least(replace(problem, devices=problem.devices - 1)) >= own * (1 - ROUNDING)
