"""Reports as text, and the sections behind them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings

from accmine.errors import InputError
from accmine.questions.run.record import Outcome
from accmine.questions.run.report.answer import designs, headline
from accmine.questions.run.report.tables import sections
from accmine.questions.run.report.why import PARTS, split_shares
from accmine.report import text
from accmine.report.numbers import number
from accmine.report.section import Section, design_labels, texts
from tests.samples.report_sample import BIG, WIDE, common, odd, pipeline, single

Make = Callable[[], Outcome]


def _section(outcome: Outcome, key: str) -> Section:
    return next(section for section in sections(outcome) if section.key == key)


def test_sections_stand_in_reading_order() -> None:
    keys = [section.key for section in sections(pipeline())]
    assert keys == [
        *("answer", "throughput", "limits", "baselines", "modes", "changes", "time", "nearest"),
        *("stages", "schedules", "certificate", "variant", "warnings", "run"),
    ]
    assert [key for key in keys if key != "modes"] == [section.key for section in sections(single())]


@pytest.mark.parametrize("make", [single, pipeline, common])
@pytest.mark.parametrize("width", [40, 80, 110, 300])
def test_no_number_is_cut_at_any_width(make: Make, width: int) -> None:
    outcome = make()
    lines = text.render(outcome, width=width).splitlines()
    for section in sections(outcome):
        numeric = [i for i, column in enumerate(section.columns) if column.numeric]
        for row in section.rows:
            cells = [row[i] for i in numeric]
            pattern = re.compile(r"\s.*".join(re.escape(cell) for cell in cells if cell))
            assert any(pattern.search(line) for line in lines), (section.key, cells)


@pytest.mark.parametrize("make", [single, pipeline, common])
def test_lines_fit_the_terminal_and_carry_no_codes(make: Make) -> None:
    plain = text.render(make())
    assert max(map(len, plain.splitlines())) <= 110
    assert "\x1b" not in plain
    assert not any(line != line.rstrip() for line in plain.splitlines())
    assert re.sub(r"\x1b\[[0-9;]*m", "", text.render(make(), color=True)).split() == plain.split()


def test_answer_says_how_far_it_can_be_from_the_best() -> None:
    plain = " ".join(text.render(single()).split())
    assert "Throughput 44.02 samples/s on one device: at most 6.76 % below the best possible" in plain
    assert "Whole system: 331.2 mm², 279.6 W TDP, 0.1574 samples/s per W" in plain
    assert "the best possible in this space under this cost model is at most 100 % lower" in " ".join(
        text.render(common()).split()
    )
    proved = replace(single(), certificate=replace(single().certificate, gap=0.0))
    assert "44.02 samples/s on one device: the best possible" in text.render(proved)
    unknown = replace(single(), certificate=replace(single().certificate, gap=math.nan, bound=math.inf))
    assert "is not known" in text.render(unknown)
    assert "no bound is known" in text.render(unknown)


def test_high_utilisation_is_called_out() -> None:
    assert "!" not in "".join(_section(single(), "throughput").rows[0])
    section = _section(pipeline(), "throughput")
    assert "78.1 %!" in section.rows[0]
    assert section.marked == (0,)
    assert "Warning: gpt2-xl reaches 78.1 % MFU and HFU" in section.notes[0]
    recompute = replace(single(), workloads=(replace(single().workloads[0], hfu=0.76),))
    assert "76 % HFU." in _section(recompute, "throughput").notes[0]


def test_limits_show_slack_and_what_is_active() -> None:
    section = _section(single(), "limits")
    assert section.rows[0] == ("area", "331.2", "333", "1.760", "0.529 %", "7.100", "mm²", "active")
    assert section.marked == (0,)
    assert section.notes[0].startswith("Active: area.")
    free = replace(single(), limits=tuple(replace(row, active=False) for row in single().limits))
    assert _section(free, "limits").notes[0].startswith("No limit is active")


def test_baselines_that_cannot_run_say_why() -> None:
    section = _section(single(), "baselines")
    assert section.rows[2][2:6] == ("–", "38.52", "–", "–")
    assert section.notes == ("nvdla-like, split none: memory: needs 18.1 GiB",)
    assert "bert-large / resnet-50 / gnmt-4" in _section(common(), "baselines").notes[-1]


def test_designs_are_named_once_and_then_by_letter() -> None:
    labels = design_labels(pipeline())
    assert list(labels.values()) == ["A", "B", "C", "D"]
    assert [row[-1] for row in _section(pipeline(), "modes").rows] == ["A A B C", "A A A A", "D D D D"]
    assert _section(pipeline(), "modes").notes[-1] == f"• D = {WIDE}"
    assert text.render(pipeline()).count(BIG) == 1
    many = replace(single(), designs=tuple(replace(single().designs[0], name=str(i)) for i in range(800)), stages=())
    letters = list(design_labels(many).values())
    assert (letters[25], letters[26], letters[51], letters[52], letters[702]) == ("Z", "AA", "AZ", "BA", "AAA")
    assert len(set(letters)) == 800


def test_changes_are_relative_to_the_one_before() -> None:
    rows = _section(single(), "changes").rows
    assert [row[2] for row in rows] == ["", "1.53", "0.993", "1.07", "1.01"]
    assert rows[1][5] == "no"


def test_time_split_is_in_per_cent_of_the_whole() -> None:
    rows = _section(single(), "time").rows
    assert sum(map(float, rows[0][2:])) == pytest.approx(100, abs=0.4)
    assert rows[0][2] == "56.7"
    split = single().stages[0].time_split
    idle = replace(single().stages[0], time_split=replace(split, **{field: 0.0 for field, _, _ in PARTS}))
    assert split_shares(idle) == (0.0,) * 6


def test_schedules_count_their_proofs_and_know_their_gap() -> None:
    section = _section(pipeline(), "schedules")
    assert [row[0] for row in section.rows[:4]] == ["s0", "", "", "s1"]
    assert section.rows[1][6:] == ("5.37 %", "feasible", "critical-path", "[2]")
    assert section.notes == ("[1] critical path of the fastest modes", "[2] work of tensor over its capacity")


def test_stages_of_several_workloads_carry_their_names() -> None:
    assert [row[0] for row in _section(common(), "stages").rows] == ["bert-large", "resnet-50", "gnmt-4"]
    two = replace(common(), stages=(*common().stages, replace(common().stages[0], name="second")))
    assert [row[0] for row in _section(two, "stages").rows][::3] == ["bert-large/device", "bert-large/second"]
    named = replace(common(), stages=tuple(replace(s, name=f"{s.workload}/s0") for s in common().stages))
    assert [row[0] for row in _section(named, "stages").rows] == ["bert-large/s0", "resnet-50/s0", "gnmt-4/s0"]


def test_nearest_losing_design() -> None:
    notes = _section(single(), "nearest").notes
    assert "1.23 % worse in the objective, -4.200 W TDP, +1.060 mm². 64 columns" in notes[0]
    assert notes[-1] == "Within 1 % of the best: 7 of 412 evaluated designs."


def test_words_that_look_like_markup_are_printed_as_they_are() -> None:
    odd = replace(single(), study="[bold]:smile:[/bold]", warnings=("[red]hot[/red] [1]",))
    plain = text.render(odd, color=True)
    assert "[bold]:smile:[/bold]" in plain
    assert "[red]hot[/red] [1]" in plain


def test_a_width_nothing_fits_is_refused() -> None:
    with pytest.raises(InputError, match="at least 40"):
        text.render(single(), width=39)


def test_a_row_must_fit_its_columns() -> None:
    with pytest.raises(ValueError, match="2 cells under 1 columns"):
        Section("x", "X", texts("a"), (("1", "2"),))


@settings(max_examples=40, deadline=None)
@given(odd())
def test_any_outcome_has_a_report(outcome: Outcome) -> None:
    shown = sections(outcome)
    assert {"answer", "certificate"} <= {section.key for section in shown}
    assert text.render(outcome).startswith("── Answer")


def test_devices_that_take_turns_count_once_and_samples_do_not_add_up() -> None:
    outcome = replace(common(), chips=1, samples_per_s_per_w=math.nan)
    assert " on one device" in headline(outcome)
    assert " on 8 devices" in headline(replace(pipeline(), chips=8))
    (whole,) = [note for note in designs(outcome).notes if note.startswith("Whole system")]
    for row in outcome.workloads:
        assert f"{row.name} {number(row.samples_per_s / outcome.tdp_w)}" in whole
