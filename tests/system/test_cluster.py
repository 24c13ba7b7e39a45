"""Clusters: shipped ones, own files, transfer times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.files import names
from accmine.system import Cluster, load_cluster
from accmine.system.cluster import TOPOLOGIES, cluster_from_mapping


def test_shipped_clusters_load() -> None:
    assert {"pcie-ring", "point-to-point"} <= set(names("clusters"))
    for name in names("clusters"):
        cluster = load_cluster(name)
        assert cluster.name == name
        assert cluster.topology in TOPOLOGIES
        assert cluster.source


def test_pcie_is_below_the_raw_rate() -> None:
    cluster = load_cluster("pcie-ring")
    assert 0.7 < cluster.link_bytes_per_s / (16e9 * 16 * 128 / 130 / 8) < 1
    assert cluster.transfer_s(25_000_000) == pytest.approx(cluster.latency_s + 1e-3)


def test_transfer_time() -> None:
    cluster = Cluster("x", 100.0, 0.5)
    assert cluster.transfer_s(50) == 1.0
    assert cluster.transfer_s(0) == 0.0
    with pytest.raises(InputError, match="at least 0"):
        cluster.transfer_s(-1)


def test_own_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\nlink: 2 GB/s\nlatency: 1 ms\ntopology: point-to-point\n")
    assert load_cluster(file) == Cluster("mine", 2e9, 1e-3, "point-to-point")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "a cluster is an object"),
        ({"name": "x", "link": "1 GB/s"}, "latency: missing"),
        ({"name": "x", "link": "1 GB/s", "latency": "1 ms", "links": 4}, "links: unknown key"),
        ({"name": "x", "link": 5, "latency": "1 ms"}, "link: "),
        ({"name": "x", "link": "0 GB/s", "latency": "1 ms"}, "more than 0"),
        ({"name": "x", "link": "1 GB/s", "latency": "1 ms", "topology": "torus"}, "allowed: ring, point-to-point"),
    ],
)
def test_bad_cluster(data: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        cluster_from_mapping(data)


def test_errors_name_the_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\nlink: 2 parsec\nlatency: 1 ms\n")
    with pytest.raises(InputError, match=r"mine\.yaml:2:\d+: link"):
        load_cluster(file)
    with pytest.raises(InputError, match="pcie-ring"):
        load_cluster("pcie-rign")
