"""Mixes of workloads: what is read, what is refused and how."""

from __future__ import annotations

import pytest

from accmine.errors import InputError
from accmine.files import load_yaml, validate
from accmine.study import Study, effective
from accmine.study.mixes import mix_rows

TEXT = "name: t\nworkloads: [{use: bert-base, batch: 8}, {use: resnet-50, batch: 8}]\naccelerator: {use: wham}\n"


def read(*overrides: str) -> Study:
    return validate(load_yaml(text=TEXT, name="t.yaml", overrides=["aggregate=regret", *overrides]), Study)


def test_mixes_are_read_and_written_as_they_were() -> None:
    study = read("mixes=[{name: day, shares: {bert-base: 3, resnet-50: 1}}, {name: night, shares: {resnet-50: 2}}]")
    assert study.robust
    assert study.mix_rows == (("day", (0.75, 0.25)), ("night", (0.0, 1.0)))
    assert validate(load_yaml(text=effective(study)), Study) == study
    assert (study.one_run.aggregate, study.one_run.mixes, study.one_run.robust) == ("worst", None, False)


def test_without_mixes_each_workload_counts_alone_and_all_alike() -> None:
    assert read().mix_rows == mix_rows(None, ["bert-base", "resnet-50"])
    assert [shares for _, shares in read().mix_rows] == [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5)]


@pytest.mark.parametrize(
    ("overrides", "place", "message"),
    [
        (("mixes=[{name: a, shares: {bert: 1}}]",), "mixes.0.shares.bert", "no workload 'bert'; did you mean"),
        (("mixes=[{name: a, shares: {bert-base: 0}}]",), "mixes.0.shares", "the shares are all 0"),
        (("mixes=[{name: a, shares: {bert-base: -1}}]",), "mixes.0.shares.bert-base", "must be greater than or equal"),
        (("mixes=[{name: a, shares: {}}]",), "mixes.0.shares", "must have at least 1 item"),
        (("mixes=[]",), "mixes", "must have at least 1 item"),
        (
            ("mixes=[{name: a, shares: {bert-base: 1}}, {name: a, shares: {bert-base: 2}}]",),
            "mixes.1.name",
            "'a' is taken",
        ),
        (("aggregate=worst", "mixes=[{name: a, shares: {bert-base: 1}}]"), "mixes", "belong to aggregate: regret"),
        (
            ("objective=bottleneck",),
            "objective",
            "bottleneck is not there beside aggregate: regret; allowed: throughput",
        ),
        (("mode=homogeneous",), "mode", "homogeneous is not there beside aggregate: regret; allowed: common"),
        (("deployment=concurrent",), "deployment", "concurrent is not there beside aggregate: regret"),
        (("workloads=[{use: bert-base, batch: 8}]",), "aggregate", "regret is over mixes of several workloads"),
        (("workloads.0.weight=2",), "workloads.0.weight", "has no effect under aggregate: regret; allowed: 1"),
        (
            ("objective={pareto: [throughput, tdp]}",),
            "objective",
            "{pareto: [throughput, tdp]} is not there beside aggregate: regret",
        ),
    ],
)
def test_what_a_regret_does_not_know_is_refused(overrides: tuple[str, ...], place: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(*overrides)
    assert f"{place}: {message}" in str(caught.value)


def test_a_pipeline_is_refused() -> None:
    with pytest.raises(InputError, match=r"parallel\.pipeline: 2 is not there beside aggregate: regret; allowed: 1"):
        read("parallel.pipeline=2", "system.cluster=pcie-ring", "mode=common")
