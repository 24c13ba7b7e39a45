"""Sections on what is proven."""

from __future__ import annotations

from dataclasses import replace

from accmine.questions.run.report import proof
from tests.samples.report_sample import common, pipeline


def test_schedules_count_their_proofs_and_know_their_gap() -> None:
    section = proof.schedules(pipeline())
    assert [row[0] for row in section.rows[:4]] == ["s0", "", "", "s1"]
    assert section.rows[1][6:] == ("5.37 %", "feasible", "critical-path", "[2]")
    assert section.notes == ("[1] critical path of the fastest modes", "[2] work of tensor over its capacity")


def test_stages_of_several_workloads_carry_their_names() -> None:
    assert [row[0] for row in proof.devices(common()).rows] == ["bert-large", "resnet-50", "gnmt-4"]
    two = replace(common(), stages=(*common().stages, replace(common().stages[0], name="second")))
    assert [row[0] for row in proof.devices(two).rows][::3] == ["bert-large/device", "bert-large/second"]
    named = replace(common(), stages=tuple(replace(s, name=f"{s.workload}/s0") for s in common().stages))
    assert [row[0] for row in proof.devices(named).rows] == ["bert-large/s0", "resnet-50/s0", "gnmt-4/s0"]
