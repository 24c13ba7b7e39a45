"""Two objectives of a study: what is read, what is refused and how."""

from __future__ import annotations

import pytest

from accmine.errors import InputError
from accmine.files import load_yaml, validate
from accmine.study import Study, effective

TEXT = "name: t\nworkloads: [{use: bert-large, batch: 64}]\naccelerator: {use: wham}\n"


def read(objective: str, *more: str) -> Study:
    return validate(load_yaml(text=TEXT, name="t.yaml", overrides=[f"objective={objective}", *more]), Study)


def test_a_front_is_read_and_written_as_it_was() -> None:
    study = read("{pareto: [throughput, area], points: all}")
    assert study.front is not None
    assert (study.front.limit, study.front.most, str(study.front)) == (
        "limits.area",
        None,
        "{pareto: [throughput, area]}",
    )
    assert study.minimised == study.one_run.objective == "throughput"
    assert study.floor is None
    assert validate(load_yaml(text=effective(study)), Study) == study
    default = read("{pareto: [throughput, tdp]}").front
    assert default is not None
    assert (default.most, default.limit) == (8, "limits.tdp")
    assert read("bottleneck").front is None
    assert read("bottleneck").one_run == read("bottleneck")


@pytest.mark.parametrize(
    ("objective", "place", "message"),
    [
        ("sped", "objective", "must be one of throughput, bottleneck, throughput-per-tdp, got 'sped'"),
        ("3", "objective", "must be one of throughput, bottleneck, throughput-per-tdp, got 3"),
        ("{pareto: [throughput, cost]}", "objective.pareto.1", "must be one of tdp, area, got 'cost'"),
        ("{pareto: [throughput, tdp, area]}", "objective.pareto", "must have at most 2 items"),
        ("{pareto: [bottleneck, tdp]}", "objective.pareto.0", "must be one of throughput, got 'bottleneck'"),
        ("{pareto: [throughput, tdp], points: 1}", "objective.points", "must be a whole number from 2 to 1000, or all"),
        ("{pareto: [throughput, tdp], points: true}", "objective.points", "must be a whole number from 2 to 1000"),
        ("{pareto: [throughput, tdp], point: 3}", "objective.point", "unknown key 'point'; did you mean 'points'?"),
        ("{points: 3}", "objective.pareto", "is required"),
    ],
)
def test_what_is_no_front_is_refused(objective: str, place: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(objective)
    assert f"{place}: {message}" in str(caught.value)


def test_a_front_has_no_floor_and_no_placement() -> None:
    front = "{pareto: [throughput, tdp]}"
    with pytest.raises(InputError, match=r"floor: applies to objective: throughput-per-tdp only, not to \{pareto"):
        read(front, "floor=1")
    with pytest.raises(
        InputError, match=r"objective: \{pareto: \[throughput, tdp\]\} is not there where the placement"
    ):
        read(front, "parallel.tensor=auto", "system.devices=8", "system.cluster=pcie-ring")
