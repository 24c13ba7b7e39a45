"""Collectives: formulas by hand, laws of any cluster, groups of ranks."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace

import numpy as np
import pytest

from accmine.errors import InputError
from accmine.system import Cluster, Level, collective_s, group_ranks, load_cluster
from accmine.system.cluster import LINKED, TOPOLOGIES
from accmine.system.collectives import ALGORITHMS, FIXED_ROUTES, GROUPS, collective_lines, seconds
from accmine.workload.shard import COLLECTIVES, Collective

FLAT = Cluster("flat", (Level("all", 64, 100.0, 1.0),))
TWO = Cluster("two", (Level("node", 8, 100.0, 1.0), Level("rack", 64, 10.0, 3.0)))


def time(cluster: Cluster, kind: str, size: float, ranks: int, stride: int = 1, algorithm: str = "best") -> float:
    return float(seconds(cluster, kind, [size], ranks, stride, algorithm=algorithm)[0])


def any_cluster(draw: random.Random, topologies: tuple[str, ...] = TOPOLOGIES, even: bool = False) -> Cluster:
    levels: list[Level] = []
    for i in range(draw.randint(1, 3)):
        size = (levels[-1].devices or 1 if levels else 1) * draw.choice([2, 4, 8] if even else [1, 2, 3, 4, 8])
        levels.append(
            Level(
                f"l{i}", size, draw.uniform(1, 100), draw.uniform(0, 3), draw.choice(topologies),
                draw.uniform(0.5, 1), draw.uniform(0, 2),
            )
        )  # fmt: skip
    return Cluster("any", tuple(levels))


def any_group(draw: random.Random, cluster: Cluster) -> tuple[int, int]:
    ranks = draw.randint(1, int(cluster.devices))
    return ranks, draw.randint(1, int(cluster.devices - 1) // (ranks - 1)) if ranks > 1 else 1


def choices(cluster: Cluster, kind: str, ranks: int, stride: int) -> list[str]:
    def allowed(name: str) -> bool:
        try:
            return bool(collective_lines(cluster, kind, ranks, stride, algorithm=name))
        except InputError:
            return False

    return [name for name in ALGORITHMS[kind] if allowed(name)]


@pytest.mark.parametrize(
    ("kind", "algorithm", "expected"),
    [
        ("all-reduce", "ring", 2 * 7 * 1 + 2 * 7 / 8 * 800 / 100),
        ("reduce-scatter", "ring", 7 + 7),
        ("all-gather", "ring", 7 + 7),
        ("all-reduce", "tree", 2 * 3 * 1 + 2 * 800 / 100),
        ("all-to-all", "pairwise", 7 + 7 / 8 * 800 / 100),
    ],
)
def test_one_switch(kind: str, algorithm: str, expected: float) -> None:
    assert time(FLAT, kind, 800, 8, algorithm=algorithm) == pytest.approx(expected, rel=1e-12)
    assert time(FLAT, kind, 800, 8, stride=8, algorithm=algorithm) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("kind", "ranks", "stride", "algorithm", "expected"),
    [
        # 32 devices in four nodes: a node has eight ways out of 10 B/s each; 28 hops inside, 3 outside
        ("all-reduce", 32, 1, "ring", 2 * (28 * 1 + 3 * 3) + 2 * 31 / 32 * 3200 / 80),
        ("all-reduce", 32, 1, "tree", 2 * (3 * 1 + 2 * 3) + 2 * 3200 / 80),
        # 3200 bytes inside, 400 of them outside for each device
        ("all-reduce", 32, 1, "hierarchical", 2 * (7 + 7 / 8 * 32) + 2 * (3 * 3 + 3 / 4 * 40)),
        ("all-gather", 32, 1, "hierarchical", (7 + 7 / 8 * 32) + (3 * 3 + 3 / 4 * 40)),
        # seven others in the node, 24 outside
        ("all-to-all", 32, 1, "pairwise", 7 * 1 + 24 * 3 + 7 / 32 * 32 + 24 / 32 * 320),
        # one device of each node
        ("all-reduce", 4, 8, "ring", 2 * 3 * 3 + 2 * 3 / 4 * 320),
        # two devices of each node, four ranks apart
        ("all-reduce", 8, 4, "ring", 2 * (4 * 1 + 3 * 3) + 2 * 7 / 8 * 160),
        # six of eight: the second group lies across nodes, two here and four there
        ("all-reduce", 6, 1, "ring", 2 * (3 * 1 + 2 * 3) + 2 * 5 / 6 * 160),
        # five have no even part in a node
        ("all-reduce", 5, 1, "ring", 2 * 4 * 3 + 2 * 4 / 5 * 320),
    ],
)  # fmt: skip
def test_two_levels(kind: str, ranks: int, stride: int, algorithm: str, expected: float) -> None:
    assert time(TWO, kind, 3200, ranks, stride, algorithm) == pytest.approx(expected, rel=1e-12)


def test_a_block_that_holds_all_devices_in_use_holds_every_group() -> None:
    inside = seconds(TWO, "all-reduce", [3200.0], 3, 2, devices=6)
    assert inside[0] == time(FLAT, "all-reduce", 3200, 3)
    assert time(TWO, "all-reduce", 3200, 3, 2) > inside[0]


def test_outer_traffic_is_no_faster_than_what_it_crosses_inside() -> None:
    fast = Cluster("x", (TWO.levels[0], replace(TWO.levels[1], bytes_per_s=1e6, latency_s=0.0)))
    assert time(fast, "all-reduce", 800, 4, 8) == time(FLAT, "all-reduce", 800, 4)


def test_efficiency_and_start_belong_to_collectives() -> None:
    slow = Cluster("x", (replace(FLAT.levels[0], efficiency=0.5, start_s=2.0),))
    assert time(slow, "all-gather", 800, 8) == 2 + 7 + 14
    assert slow.transfer_s(800) == FLAT.transfer_s(800)
    twice = Cluster("x", (replace(TWO.levels[0], start_s=2.0), replace(TWO.levels[1], start_s=5.0)))
    more = [time(twice, "all-reduce", 3200, 32, 1, a) - time(TWO, "all-reduce", 3200, 32, 1, a) for a in
            ("ring", "tree", "hierarchical")]  # fmt: skip
    assert more == pytest.approx([5, 5, 2 * 2 + 5])  # inside twice, around once


def test_a_ring_goes_both_ways_around_and_one_way_on_a_part_of_it() -> None:
    ring = Cluster("r", (Level("x", 8, 200.0, 1.0, "ring"),))
    line = Cluster("l", (Level("x", 8, 200.0, 1.0, "point-to-point"),))
    assert time(ring, "all-reduce", 800, 8) == 2 * 7 + 2 * 7 / 8 * 800 / 200
    assert time(ring, "all-reduce", 800, 4) == time(line, "all-reduce", 800, 4) == 2 * 3 + 2 * 3 / 4 * 800 / 100
    assert time(line, "all-reduce", 800, 8) == 2 * 7 + 2 * 7 / 8 * 800 / 100
    # two groups side by side share each link, and a message has two hops
    assert time(ring, "all-reduce", 800, 4, 2) == 2 * 3 * 2 + 2 * 3 / 4 * 800 / 100
    # a ring of any number ends with the devices in use
    endless = Cluster("r", (Level("x", None, 200.0, 1.0, "ring"),))
    assert time(endless, "all-reduce", 800, 8) == time(ring, "all-reduce", 800, 8)
    assert seconds(endless, "all-reduce", [800], 4, devices=8)[0] == time(ring, "all-reduce", 800, 4)


def test_an_all_to_all_on_a_ring_loads_every_link_with_what_passes() -> None:
    for ranks in range(2, 9):
        for topology in LINKED:
            cluster = Cluster("r", (Level("x", ranks, 200.0, 0.0, topology),))
            load = np.zeros((ranks, 2))  # of the link behind each device, in both directions
            for a in range(ranks):
                for b in range(ranks):
                    there, back = (b - a) % ranks, (a - b) % ranks
                    if topology == "ring":
                        ways = [(there, 0), (back, 1)]
                        least = min(there, back)
                        ways = [(d, s) for d, s in ways if d == least]
                    else:
                        ways = [(b - a, 0)] if b > a else [(a - b, 1)]
                    for length, side in ways:
                        for hop in range(length):
                            link = (a + hop) % ranks if side == 0 else (a - hop - 1) % ranks
                            load[link, side] += 800 / ranks / len(ways)
            assert time(cluster, "all-to-all", 800, ranks) == pytest.approx(load.max() / 100)


def test_routes_of_a_fat_tree_collide_in_an_all_to_all() -> None:
    tree = Cluster("x", (replace(FLAT.levels[0], topology="fat-tree"),))
    assert time(tree, "all-to-all", 800, 8) == pytest.approx(7 + 7 / FIXED_ROUTES)
    assert time(tree, "all-reduce", 800, 8) == time(FLAT, "all-reduce", 800, 8)


def test_laws_of_any_cluster() -> None:
    draw = random.Random(3)
    for _ in range(300):
        cluster = any_cluster(draw)
        ranks, stride = any_group(draw, cluster)
        for kind in COLLECTIVES:
            sizes = np.sort(np.array([0.0, 1.0, *(10 ** draw.uniform(0, 9) for _ in range(3))]))
            times = seconds(cluster, kind, sizes, ranks, stride)
            assert times[0] == 0.0
            assert (times == 0).all() if ranks == 1 else (np.diff(times) >= 0).all()
            assert [collective_s(cluster, Collective(kind, int(s)), ranks, stride) for s in sizes] == pytest.approx(  # type: ignore[arg-type]
                seconds(cluster, kind, sizes.astype(int), ranks, stride)
            )
            named = [
                seconds(cluster, kind, sizes, ranks, stride, algorithm=a) for a in choices(cluster, kind, ranks, stride)
            ]
            assert (times <= np.array(named)).all()
            assert (times == np.min(named, axis=0)).all()
            # no device sends faster than over the links of all levels
            assert (times[1:] >= sizes[1:] * (ranks - 1) / ranks / sum(v.bytes_per_s for v in cluster.levels)).all()
            if ranks > 1:
                half = time(cluster, "reduce-scatter", sizes[-1], ranks, stride, "ring")
                start = max(v.start_s for v in cluster.levels)
                both = time(cluster, "all-reduce", sizes[-1], ranks, stride, "ring")
                assert (2 * half - start) * (1 - 1e-9) <= both <= 2 * half * (1 + 1e-9)


def test_more_devices_take_longer() -> None:
    """Of powers of two: with other numbers a group may fill blocks worse than a larger one does."""
    draw = random.Random(4)
    for _ in range(200):
        cluster = any_cluster(draw, ("switch", "fat-tree"), even=True)
        most = int(math.log2(cluster.devices))
        stride = 2 ** draw.randint(0, most)
        ranks = [2**k for k in range(most + 1) if 2**k * stride <= cluster.devices]
        size = 10 ** draw.uniform(0, 9)
        for kind in COLLECTIVES:
            for algorithm in choices(cluster, kind, ranks[-1], stride):
                if algorithm == "ring" or len(cluster.levels) == 1 or kind == "all-to-all":
                    times = [time(cluster, kind, size, n, stride, algorithm) for n in ranks]
                    assert all(a <= b + 1e-9 for a, b in itertools.pairwise(times)), (cluster, kind, times)


def test_all_dimensions_of_a_torus_work_at_once() -> None:
    levels = tuple(Level(name, 4 ** (i + 1), 200.0, 0.0, "ring") for i, name in enumerate("xyz"))
    torus = Cluster("t", levels)
    assert time(torus, "all-reduce", 6400, 64, algorithm="rotated") == pytest.approx(2 * 63 / 64 * 6400 / 600)
    assert time(torus, "all-reduce", 6400, 64, algorithm="hierarchical") == pytest.approx(2 * 63 / 64 * 6400 / 200)
    assert time(torus, "all-reduce", 6400, 64) == time(torus, "all-reduce", 6400, 64, algorithm="rotated")
    # half of it along the long side and then along the short one, half the other way round: 3 and 1 hops
    uneven = Cluster("t", (Level("x", 4, 200.0, 1.0, "ring"), Level("y", 8, 200.0, 1.0, "ring")))
    expected = (3 + 3 / 4 * 4) + (3 + max(3 / 4 * 2, 1 / 2 * 1))
    assert time(uneven, "all-gather", 1600, 8, algorithm="rotated") == expected


def test_a_hierarchy_on_one_level_is_a_ring() -> None:
    draw = random.Random(5)
    for _ in range(100):
        level = any_cluster(draw).levels[-1]
        cluster = Cluster("x", (level,))
        ranks, stride = any_group(draw, cluster)
        for kind in ("all-reduce", "all-gather", "reduce-scatter"):
            ring = time(cluster, kind, 1e6, ranks, stride, "ring")
            for other in {"hierarchical", "rotated"}.intersection(choices(cluster, kind, ranks, stride)):
                assert time(cluster, kind, 1e6, ranks, stride, other) == pytest.approx(ring)


def test_a_switch_may_be_written_as_two_levels() -> None:
    draw = random.Random(6)
    for _ in range(100):
        outer = draw.choice([16, 32, 64])
        whole = Level("all", outer, draw.uniform(1, 100), draw.uniform(0, 3), "switch", 0.8, 1.0)
        one = Cluster("x", (whole,))
        two = Cluster("x", (replace(whole, devices=draw.choice([2, 4, 8, 16])), whole))
        ranks = 2 ** draw.randint(1, int(math.log2(outer)))
        stride = draw.choice([s for s in (1, 2, 4, 8) if s * ranks <= outer])
        for kind in COLLECTIVES:
            for algorithm in choices(one, kind, ranks, stride):
                fixed, slope = collective_lines(one, kind, ranks, stride, algorithm=algorithm)[0]
                split = collective_lines(two, kind, ranks, stride, algorithm=algorithm)[0]
                assert split[1] == pytest.approx(slope), (kind, algorithm)
                if algorithm != "hierarchical":  # which saves hops
                    assert split[0] == pytest.approx(fixed), (kind, algorithm)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: time(FLAT, "broadcast", 1, 2), "'broadcast' is no collective; allowed: all-reduce"),
        (lambda: time(FLAT, "all-reduce", -1, 2), "a message of -1 bytes"),
        (lambda: collective_s(FLAT, Collective("all-reduce", -1), 2), "a message of -1 bytes"),
        (lambda: time(FLAT, "all-reduce", 1, 0), "0 devices"),
        (lambda: time(FLAT, "all-reduce", 1, 2, 0), "0 ranks apart"),
        (lambda: time(FLAT, "all-reduce", 1, 65), "65 devices are disconnected"),
        (lambda: time(FLAT, "all-reduce", 1, 9, 8), "65 devices are disconnected"),
        (lambda: time(FLAT, "all-gather", 1, 2, algorithm="tree"), "allowed: best, ring, hierarchical$"),
        (lambda: time(FLAT, "all-reduce", 1, 2, algorithm="rotated"), "allowed: best, ring, tree, hierarchical$"),
        (
            lambda: time(load_cluster("pcie-ring"), "all-reduce", 1, 2, algorithm="tree"),
            "'tree' of all-reduce on pcie-ring; allowed: best, ring, hierarchical, rotated$",
        ),
    ],
)
def test_refusals(call: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()  # type: ignore[operator]


def test_groups_of_ranks() -> None:
    degrees = {"tensor": 8, "data": 6, "pipeline": 4, "expert": 3}
    inner, outer = ("tensor", "data", "pipeline"), ("tensor", "pipeline", "data")
    assert [group_ranks(inner, degrees, g) for g in GROUPS] == [(8, 1), (4, 48), (6, 8), (3, 8), (2, 24)]
    assert [group_ranks(outer, degrees, g) for g in GROUPS] == [(8, 1), (4, 8), (6, 32), (3, 32), (2, 96)]
    assert group_ranks(inner, {"pipeline": 4}, "pipeline") == (4, 1)
    for order, change, group in ((("tensor",), {}, "data"), (inner, {}, "node"), (inner, {"expert": 4}, "expert")):
        with pytest.raises(InputError):
            group_ranks(order, degrees | change, group)


def test_every_rank_is_in_one_group_of_each_kind() -> None:
    degrees = {"tensor": 2, "data": 6, "pipeline": 3, "expert": 2}
    for group in ("tensor", "data", "pipeline", "expert", "data-expert"):
        ranks, stride = group_ranks(("data", "tensor", "pipeline"), degrees, group)
        block = ranks * stride
        members = [
            [start + b + i * stride for i in range(ranks)] for start in range(0, 36, block) for b in range(stride)
        ]
        assert sorted(itertools.chain(*members)) == list(range(36))
