"""Chrome trace events of schedules."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import CheckError, InputError
from accmine.problems.operator_schedule import Problem, Solution, durations, objective
from accmine.report import core_lanes, operator_labels, perfetto, timeline_lanes
from accmine.report.charts.trace import CORES, Lane
from accmine.system import simulate
from accmine.workload.graph import GraphBuilder
from tests.samples.schedule_sample import RESOURCES, many, scheduled, schedules

FREQUENCIES = st.sampled_from((700e6, 800e6, 1e9, 1.05e9, 940e6))


def validate(trace: dict[str, Any]) -> None:
    """What the Perfetto UI needs to show every event: its reading cuts times to whole nanoseconds."""
    json.dumps(trace, allow_nan=False)
    assert set(trace) == {"traceEvents", "displayTimeUnit"}
    assert trace["displayTimeUnit"] == "ns"
    processes: dict[int, str] = {}
    threads: dict[int, int] = {}
    ends: dict[int, int] = defaultdict(int)
    for event in trace["traceEvents"]:
        pid = event["pid"]
        assert pid > 0
        assert isinstance(event["name"], str)
        if event["ph"] == "M":
            if event["name"] == "process_name":
                processes[pid] = event["args"]["name"]
            elif event["name"] == "thread_name":
                assert event["tid"] not in threads
                threads[event["tid"]] = pid
        elif event["ph"] == "X":
            assert threads[event["tid"]] == pid
            start, length = int(event["ts"] * 1000), int(event["dur"] * 1000)
            assert start >= ends[event["tid"]]
            assert length >= 0
            ends[event["tid"]] = start + length
        else:
            assert event["ph"] == "C"
            assert event["ts"] >= 0
            assert all(isinstance(value, (int, float)) for value in event["args"].values())
        assert pid in processes
    assert not set(threads) & set(processes)
    times = [event["ts"] for event in trace["traceEvents"] if event["ph"] != "M"]
    assert times == sorted(times)


def cores(problem: Problem, lanes: list[Lane]) -> dict[tuple[str, str], list[str]]:
    """(operation, resource) -> threads it appears on."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for lane in lanes:
        resource = lane.thread.split()[0]
        if not lane.counter and lane.name in problem.names:
            found[lane.name, resource].append(lane.thread)
    return found


@settings(deadline=None)
@given(schedules(), FREQUENCIES, st.floats(0, 10))
def test_every_operation_has_its_cores_and_no_core_has_two(
    case: tuple[Problem, Solution], frequency: float, offset: float
) -> None:
    problem, solution = case
    lanes = core_lanes(problem, solution, process="d", seconds_per_unit=1 / frequency, offset_s=offset)
    validate(perfetto(lanes))
    length = durations(problem, solution)
    found = cores(problem, lanes)
    for i, name in enumerate(problem.names):
        uses = problem.mode_sets[i].uses[0]
        for r, resource in enumerate(CORES):
            threads = found[name, resource]
            assert len(threads) == len(set(threads)) == (uses[r] if length[i] else 0)
            assert all(0 <= int(thread.split()[1]) < problem.capacity[r] for thread in threads)
        assert len(found[name, "other"]) == (length[i] > 0 and not uses[:2].any())
    for lane in lanes:
        if lane.name in problem.names:
            i = problem.names.index(lane.name)
            assert lane.start_s == pytest.approx(offset + solution.start[i] / frequency)
            assert lane.duration_s == pytest.approx(length[i] / frequency)


@settings(deadline=None)
@given(schedules(), st.none() | st.integers(1, 30))
def test_counter_holds_all_the_traffic(case: tuple[Problem, Solution], limit: int | None) -> None:
    problem, solution = case
    lanes = core_lanes(problem, solution, process="d", seconds_per_unit=1.0, max_operators=limit)
    counted = [lane for lane in lanes if lane.counter]
    assert all(lane.args["%"] <= 100.001 for lane in counted)
    work = sum(
        int(d) * int(modes.uses[0, 2]) for d, modes in zip(durations(problem, solution), problem.mode_sets, strict=True)
    )
    total = sum(lane.duration_s * lane.args["%"] for lane in counted) * int(problem.capacity[2]) / 100
    # A level is rounded to 0.001 %.
    assert total == pytest.approx(work, rel=1e-6, abs=1e-5 * objective(problem, solution) * int(problem.capacity[2]))
    for before, after in pairwise(counted):
        assert before.end_s == pytest.approx(after.start_s)


@settings(deadline=None)
@given(schedules(), st.integers(1, 12))
def test_what_is_not_shown_is_said(case: tuple[Problem, Solution], limit: int) -> None:
    problem, solution = case
    lanes = core_lanes(problem, solution, process="d", seconds_per_unit=1e-9, max_operators=limit)
    validate(perfetto(lanes))
    shown = {lane.name for lane in lanes if lane.name in problem.names}
    held = int((durations(problem, solution) > 0).sum())
    assert len(shown) == min(limit, held)
    rest = [lane for lane in lanes if lane.thread == "not shown"]
    if held > limit:
        (rest_lane,) = rest
        assert rest_lane.name == f"{held - limit} more operators"
        assert rest_lane.end_s == pytest.approx(objective(problem, solution) * 1e-9)
        assert all(lane.start_s <= rest_lane.start_s for lane in lanes if lane.name in shown)
    else:
        assert rest == []


def test_an_idle_core_is_seen() -> None:
    problem, solution = scheduled([(10, [2, 0, 5]), (5, [1, 0, 0])], [12, 1, 10])
    lanes = core_lanes(problem, solution, process="d", seconds_per_unit=1.0)
    threads = [lane.thread for lane in lanes if not lane.counter]
    assert threads[:4] == ["tensor 00", "tensor 01", "tensor 02", "tensor 03"]
    assert len(set(threads)) == 13
    unused = {lane.thread for lane in lanes if lane.name == "unused"}
    assert len(unused) == 10
    assert "vector 0" in unused
    assert [(c.start_s, c.args["%"]) for c in lanes if c.counter] == [(0.0, 50.0), (5.0, 50.0)]
    points = [(e["ts"], e["args"]["%"]) for e in perfetto(lanes)["traceEvents"] if e["ph"] == "C"]
    assert points == [(0, 50.0), (10e6, 0)]


def test_labels_of_operators() -> None:
    builder = GraphBuilder("g")
    builder.layer("first")
    x = builder.tensor("x", (4, 4))
    y = builder.tensor("y", (4, 4))
    builder.operator("relu", "relu", [x], [y])
    labels = operator_labels(builder.build())
    assert labels == [{"kind": "relu", "phase": "forward", "layer": "first"}]
    problem, solution = scheduled([(3, [0, 1, 2])], [1, 1, 4])
    lane = next(
        one
        for one in core_lanes(problem, solution, process="d", seconds_per_unit=1.0, labels=labels)
        if one.name == "op0"
    )
    assert lane.args == {**labels[0], "mode": 0, "vector": 1, "hbm": 2}


def test_resources_of_any_name_become_counters() -> None:
    problem, solution = scheduled([(3, [1, 0, 0])], [2, 1, 1])
    other = Problem(
        ("R1", "R2", "R3"),
        problem.capacity,
        problem.names,
        problem.mode_sets,
        problem.mode_set,
        problem.edges,
    )
    lanes = core_lanes(other, solution, process="d", seconds_per_unit=1.0)
    assert [(lane.thread, lane.name) for lane in lanes] == [("other 0", "op0"), ("R1", "R1, % of capacity")]
    assert lanes[1].args == {"%": 50.0}


def test_wrong_arguments_and_wrong_schedules_are_refused() -> None:
    problem, solution = scheduled([(3, [1, 0, 0]), (3, [1, 0, 0])], [1, 1, 1])
    with pytest.raises(InputError, match="1 labels for 2"):
        core_lanes(problem, solution, process="d", seconds_per_unit=1.0, labels=[{}])
    with pytest.raises(InputError, match="seconds_per_unit"):
        core_lanes(problem, solution, process="d", seconds_per_unit=0.0)
    with pytest.raises(InputError, match="max_operators"):
        core_lanes(problem, solution, process="d", seconds_per_unit=1.0, max_operators=0)
    both = Solution(np.zeros(2, dtype=np.int64), solution.mode)
    with pytest.raises(CheckError, match="1 of tensor needed, 0 of 1 are free"):
        core_lanes(problem, both, process="d", seconds_per_unit=1.0)
    with pytest.raises(CheckError, match="b starts before"):
        perfetto([Lane("p", "t", "a", 0.0, 1.0), Lane("p", "t", "b", 0.5, 1.0)])
    with pytest.raises(InputError, match="must be >= 0"):
        perfetto([Lane("p", "t", "a", -1.0, 1.0)])
    with pytest.raises(InputError, match="must be >= 0"):
        perfetto([Lane("p", "t", "a", 0.0, float("nan"))])


def test_nothing_gives_an_empty_trace() -> None:
    problem, solution = scheduled([], [1, 1, 1])
    assert core_lanes(problem, solution, process="d", seconds_per_unit=1.0) == []
    assert perfetto([]) == {"traceEvents": [], "displayTimeUnit": "ns"}


@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=20))
def test_times_survive_being_cut_to_nanoseconds(lengths: list[int]) -> None:
    ends = np.cumsum(lengths).tolist()
    lanes = [Lane("p", "t", str(i), (e - n) / 1e9, n / 1e9) for i, (e, n) in enumerate(zip(ends, lengths, strict=True))]
    trace = perfetto(lanes)
    validate(trace)
    last = [event for event in trace["traceEvents"] if event["ph"] == "X"][-1]
    # A float of seconds holds 15 digits.
    assert (last["ts"] + last["dur"]) * 1000 == pytest.approx(ends[-1], abs=4, rel=1e-13)


times = st.lists(st.integers(1, 1000), min_size=3, max_size=3)


@settings(deadline=None)
@given(st.sampled_from(("gpipe", "1f1b")), times, times, times, st.integers(1, 8))
def test_timeline_shows_every_pass(
    schedule: str, forward: list[int], backward: list[int], update: list[int], microbatches: int
) -> None:
    timeline = simulate(schedule, forward, backward, update, [3, 5], microbatches)
    lanes = timeline_lanes(timeline, seconds_per_unit=1e-3)
    validate(perfetto(lanes))
    assert len(lanes) == 3 * (2 * microbatches + 1)
    for stage in range(3):
        mine = [lane for lane in lanes if lane.thread == f"stage {stage}"]
        busy = microbatches * (forward[stage] + backward[stage]) + update[stage]
        assert sum(lane.duration_s for lane in mine) == pytest.approx(busy * 1e-3)
        assert {lane.args["microbatch"] for lane in mine if "microbatch" in lane.args} == set(range(microbatches))
        assert {lane.name for lane in mine} >= {"F0", "B0", "update"}
    assert max(lane.end_s for lane in lanes) == pytest.approx(timeline.step_s * 1e-3)


def test_timeline_with_names_and_offset() -> None:
    timeline = simulate("1f1b", [1.0, 1.0], [2.0, 2.0], [0.5, 0.5], [0.0], 2)
    lanes = timeline_lanes(timeline, process="gpt2-xl", stages=("s0", "s1"), offset_s=7.0)
    assert {lane.thread for lane in lanes} == {"s0", "s1"}
    assert {lane.process for lane in lanes} == {"gpt2-xl"}
    assert min(lane.start_s for lane in lanes) == 7.0
    with pytest.raises(InputError, match="1 stage names for 2 stages"):
        timeline_lanes(timeline, stages=("s0",))


def test_several_devices_and_a_pipeline_in_one_trace() -> None:
    timeline = simulate("gpipe", [1e-6] * 2, [2e-6] * 2, [1e-7] * 2, [1e-7], 3)
    lanes = timeline_lanes(timeline)
    for device in ("s0", "s1"):
        problem, solution = many(40)
        lanes += core_lanes(problem, solution, process=device, seconds_per_unit=1 / 700e6, offset_s=1e-3)
    trace = perfetto(lanes)
    validate(trace)
    names = [e["args"]["name"] for e in trace["traceEvents"] if e["name"] == "process_name"]
    assert names == ["pipeline", "s0", "s1"]
    assert {e["name"] for e in trace["traceEvents"] if e["ph"] == "C"} == {"HBM rate, % of peak"}
    assert RESOURCES[:2] == CORES
