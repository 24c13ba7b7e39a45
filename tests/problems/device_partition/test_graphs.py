"""Graphs of dnn-partitioning and PipeDream."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.ports import Stop
from accmine.problems.device_partition import Problem, score, shown
from accmine.problems.device_partition.graphs import DEVICES
from accmine.result import Status
from accmine.solving import load_problem, solve


def dnn(**changes: Any) -> dict[str, Any]:
    nodes = [
        {"id": i, "name": f"n{i}", "supportedOnFpga": 1, "cpuLatency": 9.0, "fpgaLatency": 0.1 * i,
         "isBackwardNode": 0, "colorClass": i % 3, "size": 10.0}
        for i in range(1, 6)
    ]  # fmt: skip
    edges = [{"sourceId": i, "destId": i + 1, "cost": 0.25, "size": 4.0} for i in range(1, 5)]
    return {"maxSizePerFPGA": 30.0, "maxFPGAs": 2, "maxCPUs": 1, "nodes": nodes, "edges": edges} | changes


def test_a_graph_of_dnn_partitioning_is_told_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "graph.json"
    file.write_text(json.dumps(dnn()), encoding="utf-8")
    problem = load_problem(file)
    assert isinstance(problem, Problem)
    assert (problem.devices, problem.memory_bytes, problem.contiguous) == (2, 30, True)
    assert [shown(problem, node.time) for node in problem.nodes] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert [node.group for node in problem.nodes] == ["1", "2", "0", "1", "2"]
    assert shown(problem, problem.nodes[0].send) == 0.25


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"edges": [{"sourceId": 1, "destId": 9, "cost": 1}]}, r"g.json:1:\d+: edges\[0\]: sourceId and destId"),
        ({"edges": [{"sourceId": 1, "destId": 2, "cost": 1}, {"sourceId": 1, "destId": 3, "cost": 2}]}, "costs 1"),
        ({"nodes": [{"id": 1, "fpgaLatency": 1, "size": 0, "supportedOnFpga": 0}], "edges": []}, "no accelerator runs"),
        ({"nodes": [{"id": 1, "fpgaLatency": None, "size": 0}], "edges": []}, r"nodes\[0\].fpgaLatency: a number"),
    ],
)
def test_complaints(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    file = tmp_path / "g.json"
    file.write_text(json.dumps(dnn(**change)), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_problem(file)


PROFILE = """node1 -- Input0 -- forward_compute_time=0.000, backward_compute_time=0.000, activation_size=0.0, \
parameter_size=0.000
node2 -- Conv2d(3, 64) -- forward_compute_time=1.250, backward_compute_time=2.500, activation_size=20000000.0, \
parameter_size=7168.000
node3 -- Linear(64, 10) -- forward_compute_time=0.500, backward_compute_time=1.000, activation_size=[400.0; 600.0], \
parameter_size=2600.000
\tnode1 -- node2
\tnode2 -- node3
"""


def test_a_profile_of_pipedream(tmp_path: Path) -> None:
    file = tmp_path / "graph.txt"
    file.write_text(PROFILE, encoding="utf-8")
    problem = load_problem(file)
    assert isinstance(problem, Problem)
    assert problem.devices == DEVICES
    assert [node.name for node in problem.nodes] == ["node1", "node2", "node3", "node1grad", "node2grad", "node3grad"]
    assert shown(problem, problem.nodes[4].time) == 2.5
    assert shown(problem, problem.nodes[1].send) == 2.0  # 20 MB at 10 GB/s, in ms
    assert problem.edges == ((0, 1), (1, 2), (3, 4), (4, 5))
    result = solve(problem)
    assert result.status is Status.OPTIMAL
    assert result.objective == 5.25  # cheaper together than two messages of 2 ms each way


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PROFILE + "\tnode2 -- node9\n", r"graph.txt:6:1: 'node9' is no node"),
        (PROFILE + "node4 -- forward_compute_time=?\n", r"graph.txt:6:1: is neither a node nor an edge"),
    ],
)
def test_complaints_of_a_profile(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "graph.txt"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_problem(file)


@pytest.mark.full
@pytest.mark.skipif(not os.environ.get("ACCMINE_DATA"), reason="needs ACCMINE_DATA")
@pytest.mark.parametrize(("graph", "least"), [("bert24", 41.7458), ("gnmt", 107.004)])
def test_the_proven_optima_of_the_training_graphs(graph: str, least: float) -> None:
    problem = load_problem(Path(os.environ["ACCMINE_DATA"]) / "partition" / f"{graph}_training.json")
    result = solve(problem, stop=Stop(seconds=120, workers=2))
    assert result.status is Status.OPTIMAL
    assert result.solution is not None
    assert round(shown(problem, score(problem, result.solution)), len(f"{least}".partition(".")[2])) == least
