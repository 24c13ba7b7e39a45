"""The outcome of a placement: written, read back, shown, and as files."""

from __future__ import annotations

import json
import re
from functools import lru_cache

import pytest
import yaml

from accmine.problems.design_placement.rules import score
from accmine.questions.run.placement.files import placement_files
from accmine.questions.run.placement.record import PlacementOutcome
from accmine.questions.run.placement.report import sections
from accmine.questions.run.placement.summary import Found, summarize
from accmine.questions.run.reading import outcome_of, page, render
from accmine.result import Result, Status, StopReason
from tests.samples.placed_study_sample import placement_plan, some_solution


@lru_cache(maxsize=1)
def outcome() -> PlacementOutcome:
    """Of a solution by hand, with a bound of four fifths of it and the baseline as the answer again."""
    plan = placement_plan()
    solution = some_solution(plan.problem, variant=2)
    value = score(plan.problem, solution)
    result = Result(
        kind="design-placement",
        solver="by hand",
        status=Status.FEASIBLE,
        stop=StopReason.TIME,
        objective=value,
        bound=0.8 * value,
        bound_method="a guess",
        solution=solution,
    )
    references = tuple((name, problem, result) for name, problem in plan.references)
    return summarize(Found(plan, result, references, seconds={"search": 1.0}))


def test_an_outcome_is_read_back_as_it_was() -> None:
    own = outcome()
    back = outcome_of(json.loads(json.dumps(own.to_json())))
    assert isinstance(back, PlacementOutcome)
    assert back.to_json() == own.to_json()
    assert render(back, width=140) == render(own, width=140)


def test_every_section_is_there_and_the_answer_is_one_line() -> None:
    text = render(outcome(), width=150)
    line = "Placement: tensor 2 × pipeline 2 × data 2, microbatch 1, 1F1B, recompute none"
    assert line in text
    keys = [section.key for section in sections(outcome())]
    assert keys == [
        "answer",
        "throughput",
        "limits",
        "baselines",
        "parts",
        "stages",
        "memory",
        "certificate",
        "warnings",
        "run",
    ]
    assert "gap" in text
    assert "20 %" in text
    assert "none of it hides behind backward passes" in text


def test_rates_and_utilisation_follow_from_the_step() -> None:
    own = outcome()
    assert own.samples_per_s == pytest.approx(16 / own.value)
    assert 0 < own.mfu <= own.hfu < 1
    (row,) = own.baselines
    assert row.ratio == pytest.approx(1.0)
    assert own.certificate.bound == pytest.approx(own.samples_per_s / 0.8)


def test_shares_of_the_step_sum_to_one() -> None:
    shares = [
        float(n) for n in re.findall(r"([\d.]+) %", str([s.rows for s in sections(outcome()) if s.key == "parts"]))
    ]
    assert sum(shares[:-1]) == pytest.approx(100, abs=1)
    assert shares[-1] == 100


def test_the_page_holds_the_chart_of_the_step() -> None:
    html = page(outcome())
    assert "<svg" in html
    assert "Where the step goes" in html


def test_placement_files_hold_cut_and_flags() -> None:
    files = placement_files(outcome())
    table, whole = yaml.safe_load(files["placement.yaml"]), json.loads(files["placement.json"])
    flags = whole.pop("megatron")
    assert whole == table
    assert [stage["layers"] for stage in table["stages"]] == [3, 3]
    assert "--tensor-model-parallel-size 2" in flags
    assert "--pipeline-model-parallel-size 2" in flags
    assert "--pipeline-model-parallel-layout 'Ett|ttL'" in flags
    assert "--global-batch-size 16" in flags
    assert flags[-1] == "# world size: 8"
