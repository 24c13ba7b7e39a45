"""Sections on what was chosen."""

from __future__ import annotations

import math
from dataclasses import replace

from accmine.questions.run.report import answer, render
from accmine.report import number
from tests.samples.report_sample import BIG, WIDE, common, pipeline, single


def test_answer_says_how_far_it_can_be_from_the_best() -> None:
    plain = " ".join(render(single()).split())
    assert "Throughput 44.02 samples/s on one device: at most 6.76 % below the best possible" in plain
    assert "Whole system: 331.2 mm², 279.6 W TDP, 0.1574 samples/s per W" in plain
    assert "the best possible in this space under this cost model is at most 100 % lower" in " ".join(
        render(common()).split()
    )
    proved = replace(single(), certificate=replace(single().certificate, gap=0.0))
    assert "44.02 samples/s on one device: the best possible" in render(proved)
    unknown = replace(single(), certificate=replace(single().certificate, gap=math.nan, bound=math.inf))
    assert "is not known" in render(unknown)
    assert "no bound is known" in render(unknown)


def test_high_utilisation_is_called_out() -> None:
    assert "!" not in "".join(answer.throughput(single()).rows[0])
    section = answer.throughput(pipeline())
    assert "78.1 %!" in section.rows[0]
    assert section.marked == (0,)
    assert "Warning: gpt2-xl reaches 78.1 % MFU and HFU" in section.notes[0]
    recompute = replace(single(), workloads=(replace(single().workloads[0], hfu=0.76),))
    assert "76 % HFU." in answer.throughput(recompute).notes[0]


def test_limits_show_slack_and_what_is_active() -> None:
    section = answer.limits(single())
    assert section.rows[0] == ("area", "331.2", "333", "1.760", "0.529 %", "7.100", "mm²", "active")
    assert section.marked == (0,)
    assert section.notes[0].startswith("Active: area.")
    free = replace(single(), limits=tuple(replace(row, active=False) for row in single().limits))
    assert answer.limits(free).notes[0].startswith("No limit is active")


def test_baselines_that_cannot_run_say_why() -> None:
    section = answer.baselines(single())
    assert section.rows[2][2:6] == ("–", "38.52", "–", "–")
    assert section.notes == ("nvdla-like, split none: memory: needs 18.1 GiB",)
    assert "bert-large / resnet-50 / gnmt-4" in answer.baselines(common()).notes[-1]


def test_designs_are_named_once_and_then_by_letter() -> None:
    assert [row[-1] for row in answer.modes(pipeline()).rows] == ["A A B C", "A A A A", "D D D D"]
    assert answer.modes(pipeline()).notes[-1] == f"• D = {WIDE}"
    assert render(pipeline()).count(BIG) == 1


def test_files_of_designs_go_with_the_answer() -> None:
    assert answer.designs(single()).files == (("design A", single().designs[0].yaml),)
    assert answer.designs(replace(single(), designs=(replace(single().designs[0], yaml=""),))).files == ()


def test_devices_that_take_turns_count_once_and_samples_do_not_add_up() -> None:
    outcome = replace(common(), chips=1, samples_per_s_per_w=math.nan)
    assert " on one device" in answer.headline(outcome)
    assert " on 8 devices" in answer.headline(replace(pipeline(), chips=8))
    (whole,) = [note for note in answer.designs(outcome).notes if note.startswith("Whole system")]
    for row in outcome.workloads:
        assert f"{row.name} {number(row.samples_per_s / outcome.tdp_w)}" in whole
