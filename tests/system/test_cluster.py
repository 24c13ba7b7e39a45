"""Clusters: shipped ones, own files, levels, transfer times."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from accmine.errors import InputError
from accmine.files import load_yaml, names
from accmine.system import Cluster, Level, load_cluster
from accmine.system.cluster import TOPOLOGIES, read_cluster

TWO = Cluster("two", (Level("node", 4, 100.0, 1.0), Level("rack", 12, 10.0, 3.0)))


def test_shipped_clusters_load() -> None:
    assert {"pcie-ring", "point-to-point", "fat-tree-1024"} <= set(names("clusters"))
    for name in names("clusters"):
        cluster = load_cluster(name)
        assert cluster.name == name
        assert cluster.topology in TOPOLOGIES
        assert cluster.source


def test_pcie_is_below_the_raw_rate() -> None:
    cluster = load_cluster("pcie-ring")
    assert 0.7 < cluster.link_bytes_per_s / (16e9 * 16 * 128 / 130 / 8) < 1
    assert cluster.transfer_s(25_000_000) == pytest.approx(cluster.latency_s + 1e-3)


@pytest.mark.parametrize("topology", ["ring", "point-to-point"])
def test_a_file_with_one_link_is_a_level_of_any_number_of_devices(topology: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"name: mine\nlink: 100 B/s\nlatency: 500 ms\ntopology: {topology}\n")
    cluster = load_cluster(file)
    assert cluster == Cluster("mine", (Level("mine", None, 200.0, 0.5, topology),))
    assert (cluster.link_bytes_per_s, cluster.latency_s, cluster.topology) == (100.0, 0.5, topology)
    assert cluster.devices == math.inf
    assert cluster.transfer_s(50) == 1.0
    assert cluster.transfer_s(0) == 0.0
    assert cluster.boundary_s([50, 0, 150], 1, 4).tolist() == [1.0, 0.0, 2.0]
    with pytest.raises(InputError, match="at least 0"):
        cluster.transfer_s(-1)
    with pytest.raises(InputError, match="at least 0"):
        cluster.boundary_s(-1, 1, 2)


def test_the_innermost_level_that_holds_both_decides() -> None:
    assert TWO.transfer_s(50, 0, 3) == 1.5
    assert TWO.transfer_s(50, 3, 4) == TWO.transfer_s(50, 11, 0) == 8.0
    assert TWO.transfer_s(50, 2, 2) == 0.0


def test_devices_are_counted_from_0() -> None:
    with pytest.raises(InputError, match="device -1"):
        TWO.transfer_s(1, 0, -1)


def test_a_message_is_as_slow_as_the_slowest_level_that_it_crosses() -> None:
    fast = replace(TWO.levels[1], bytes_per_s=1000.0, latency_s=0.0)
    assert Cluster("x", (TWO.levels[0], fast)).transfer_s(50, 0, 4) == 1.5


def test_hops_on_a_ring_and_on_a_line() -> None:
    ring = Cluster("r", (Level("x", 8, 200.0, 1.0, "ring"),))
    line = Cluster("l", (Level("x", 8, 200.0, 1.0, "point-to-point"),))
    assert [ring.transfer_s(100, 0, k) for k in range(1, 8)] == [2, 4, 6, 8, 6, 4, 2]
    assert [line.transfer_s(100, 0, k) for k in range(1, 8)] == [2, 4, 6, 8, 10, 12, 14]
    torus = Cluster("t", (Level("x", 4, 200.0, 1.0, "ring"), Level("y", 16, 200.0, 1.0, "ring")))
    assert [torus.transfer_s(100, 0, k) for k in (1, 2, 3, 4, 8, 12)] == [2, 4, 2, 2, 4, 2]
    # the last stage to the first, for the next chunk: around the ring, or all the way back
    assert ring.boundary_s(100, 1, 8, stages=9)[7] == 2
    assert line.boundary_s(100, 1, 8, stages=9)[7] == 14
    endless = Cluster("r", (replace(ring.levels[0], devices=None),))
    assert endless.boundary_s(100, 1, 5, stages=6).tolist() == [2] * 5


def test_boundaries_are_the_worst_message_of_all_columns() -> None:
    draw = random.Random(1)
    for _ in range(1000):
        sizes = list(itertools.accumulate([draw.choice([1, 2, 3, 4]) for _ in range(3)], int.__mul__))
        levels = [
            Level(f"l{i}", size, draw.uniform(1, 100), draw.uniform(0, 3), draw.choice(TOPOLOGIES))
            for i, size in enumerate(sizes)
        ]
        cluster = Cluster("x", tuple(levels))
        stride, pipeline = draw.randint(1, 6), draw.randint(1, 6)
        if stride * pipeline > sizes[-1]:
            continue
        replicas = draw.randint(1, sizes[-1] // (stride * pipeline))
        stages = pipeline * draw.randint(1, 3)
        messages = [draw.choice([0.0, draw.uniform(0, 100)]) for _ in range(stages - 1)]
        expected = [
            max(
                cluster.transfer_s(
                    m,
                    b + stride * (k % pipeline + pipeline * j),
                    b + stride * ((k + 1) % pipeline + pipeline * j),
                )
                for b in range(stride)
                for j in range(replicas)
            )
            for k, m in enumerate(messages)
        ]
        got = cluster.boundary_s(messages, stride, pipeline, stages=stages, devices=stride * pipeline * replicas)
        assert np.allclose(got, expected, rtol=1e-12)


def test_too_few_devices_are_disconnected() -> None:
    TWO.require(12)
    for call in (lambda: TWO.require(13), lambda: TWO.transfer_s(1, 0, 12), lambda: TWO.boundary_s(1, 4, 4)):
        with pytest.raises(InputError, match=r"devices are disconnected: rack, .* joins 12; allowed: up to 12"):
            call()


LEVELS = """name: mine
levels:
  - {name: node, devices: 8, bandwidth: 300 GB/s, latency: 1 us}
  - {name: rack, devices: 32, bandwidth: 50 GB/s, latency: 3 us, topology: fat-tree, efficiency: 0.5}
  - {name: all, bandwidth: 25 GB/s, latency: 5 us, collective_start: 2 us}
"""


def test_levels_of_a_file() -> None:
    cluster = read_cluster(load_yaml(text=LEVELS))
    assert cluster.levels == (
        Level("node", 8, 300e9, 1e-6),
        Level("rack", 32, 50e9, 3e-6, "fat-tree", 0.5),
        Level("all", None, 25e9, 5e-6, start_s=2e-6),
    )


@pytest.mark.parametrize(
    ("text", "changed", "message"),
    [
        ("name: mine", "nome: mine", "1:1: nome: unknown key 'nome'; did you mean"),
        ("name: mine\n", "name: mine\nlatency: 1 us\n", "2:1: latency: unknown key"),
        ("latency: 1 us", "latency: 1", "3:60: levels.0.latency: .* has no unit"),
        (", latency: 1 us", "", "3:5: levels.0.latency: is required"),
        ("300 GB/s", "0 GB/s", "3:41: levels.0.bandwidth: 0.0 bytes/s; more than 0"),
        ("300 GB/s", "3 parsec", "3:41: levels.0.bandwidth: unknown unit"),
        ("devices: 32", "devices: 4", "4:27: levels.1.devices: 4 devices; a multiple of the 8 of the level inside"),
        ("devices: 32", "devices: 20", "4:27: levels.1.devices: 20 devices; a multiple of the 8"),
        ("devices: 32", "devices: 0", "4:27: levels.1.devices: "),
        ("devices: 32, ", "", "4:5: levels.1.devices: is required: only the outermost"),
        ("fat-tree", "fat-trie", "4:.*: levels.1.topology: must be one of switch, fat-tree, ring, point-to-point"),
        ("efficiency: 0.5", "efficiency: 1.5", "4:.*: levels.1.efficiency: 1.5; more than 0 and at most 1"),
        ("efficiency: 0.5", "efficiency: true", "4:.*: levels.1.efficiency: "),
    ],
)
def test_bad_levels(text: str, changed: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"(?m)^mine:{message}"):
        read_cluster(load_yaml(text=LEVELS.replace(text, changed, 1), name="mine"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "a mapping"),
        ("name: x\nlevels: []\n", "2:9: levels: no level; at least one"),
        ("name: x\n", "levels: is required"),
        ("name: x\nlink: 1 GB/s\n", "latency: is required"),
        ("name: x\nlink: 1 GB/s\nlatency: 1 ms\nlinks: 4\n", "4:1: links: unknown key"),
        ("name: x\nlink: 5\nlatency: 1 ms\n", "2:7: link: .* has no unit"),
        ("name: x\nlink: 0 GB/s\nlatency: 1 ms\n", "2:7: link: .*more than 0"),
        ("name: x\nlink: 1 GB/s\nlatency: 1 ms\ntopology: torus\n", "4:11: topology: must be one of"),
        ("name: x\nlink: 1 GB/s\nlatency: 1 ms\nlevels: []\n", "4:1: levels: unknown key"),
    ],
)
def test_bad_cluster(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_cluster(load_yaml(text=text, name="mine"))


def test_errors_name_the_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\nlink: 2 parsec\nlatency: 1 ms\n")
    with pytest.raises(InputError, match=r"mine\.yaml:2:\d+: link"):
        load_cluster(file)
    with pytest.raises(InputError, match="pcie-ring"):
        load_cluster("pcie-rign")
