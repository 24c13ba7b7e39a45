"""The parts of a study: what each takes alone, and which of its keys belong together."""

from __future__ import annotations

from dataclasses import asdict
from itertools import product
from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from accmine.registry import make_solver
from accmine.study.parallel import Parallel, System
from accmine.study.parts import (
    HEURISTIC_OPTIONS,
    AcceleratorSpace,
    Budget,
    Cost,
    DeviceLimits,
    Limits,
    Part,
    Search,
    StudyWorkload,
)
from tests.samples.search_sample import folder

PARTS: list[tuple[type[Part], dict[str, Any]]] = [
    (StudyWorkload, {"use": "bert-large", "batch": 8}),
    (AcceleratorSpace, {"use": "wham"}),
    (Limits, {}),
    (DeviceLimits, {}),
    (System, {}),
    (Cost, {}),
    (Search, {}),
    (Budget, {}),
]


def refused(part: type[Part], **values: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        part.model_validate(values)
    return str(caught.value)


def workload(**values: Any) -> StudyWorkload:
    return StudyWorkload.model_validate({"use": "bert-large"} | values)


@pytest.mark.parametrize(("part", "least"), PARTS)
def test_every_part_is_frozen_and_takes_no_other_key(part: type[Part], least: dict[str, Any]) -> None:
    value = part.model_validate(least)
    name = next(iter(part.model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(value, name, getattr(value, name))
    assert "Extra inputs are not permitted" in refused(part, **least, colour="red")
    assert all(info.description for info in part.model_fields.values())


@pytest.mark.parametrize(
    ("given_keys", "attention", "granularity"),
    [
        ({}, "fused", "fused"),
        ({"attention": "fused"}, "fused", "fused"),
        ({"attention": "fused", "split": None}, "fused", "fused"),
        ({"attention": "materialised"}, "materialised", "heads"),
        ({"split": "none"}, "materialised", "none"),
        ({"split": "samples", "attention": "materialised"}, "materialised", "samples"),
    ],
)
def test_attention_is_fused_unless_scores_are_asked_for(
    given_keys: dict[str, Any], attention: str, granularity: str
) -> None:
    own = workload(batch=8, **given_keys)
    assert (own.attention, own.granularity) == (attention, granularity)


def test_a_split_of_fused_attention_is_refused() -> None:
    said = refused(StudyWorkload, use="bert-large", batch=8, attention="fused", split="heads")
    assert "split" in said
    assert "belongs to attention: materialised, not to attention: fused" in said
    assert "Input should be 'fused' or 'materialised'" in refused(StudyWorkload, use="m", batch=8, attention="flash")


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300))
def test_a_microbatch_divides_the_batch_and_who_asks_is_told_how(batch: int, microbatch: int) -> None:
    divisors = [m for m in range(1, batch + 1) if batch % m == 0]
    if microbatch in divisors:
        assert workload(batch=batch, microbatch=microbatch).microbatch == microbatch
        return
    said = refused(StudyWorkload, use="bert-large", batch=batch, microbatch=microbatch)
    assert f"{microbatch} does not divide the batch of {batch}; allowed: " in said
    listed = said.split("allowed: ")[1].split("\n")[0].split(" [type")[0].split(", ")
    assert listed == list(map(str, divisors)) if len(divisors) <= 12 else [*map(str, divisors[:11]), "…"]


def test_divisors_of_a_large_batch_are_not_listed() -> None:
    assert "allowed: a divisor of the batch" in refused(StudyWorkload, use="bert-large", batch=10**9, microbatch=7)
    assert workload(batch=10**9, microbatch=10**3).microbatch == 10**3


def test_a_workload_says_what_is_left_out() -> None:
    path = str(folder() / "mlp.yaml")
    own = StudyWorkload.model_validate({"use": path, "batch": 6})
    assert (own.name, own.microbatch, own.weight, own.optimizer, own.recompute) == ("mlp", 6, 1.0, "adam", "none")
    assert (workload(batch=6).name, workload(batch=6, name="mine").name) == ("bert-large", "mine")


def test_every_complaint_of_a_workload_at_once() -> None:
    said = refused(StudyWorkload, use="bert-large", batch=8, microbatch=3, sequence=4, image=4)
    assert "microbatch: 3 does not divide the batch of 8; allowed: 1, 2, 4, 8" in said
    assert "image: a model reads sequences or images" in said
    assert workload(batch=8, sequence=4).sequence == workload(batch=8, image=4).image == 4


def test_one_dimension_sets_both_or_each_is_set() -> None:
    for given_too in (["tensor_rows"], ["tensor_cols"], ["tensor_rows", "tensor_cols"]):
        said = refused(AcceleratorSpace, use="wham", tensor_dim=8, **dict.fromkeys(given_too, 8))
        assert [name for name in ("tensor_rows", "tensor_cols") if f"{name}: tensor_dim sets" in said] == given_too
    space = AcceleratorSpace.model_validate({"use": "wham", "tensor_rows": 4, "hbm": "16 GiB"})
    assert space.mapping() == {"use": "wham", "tensor_rows": 4, "hbm": "16 GiB"}


@pytest.mark.parametrize("part", [Limits, DeviceLimits])
def test_a_limit_is_a_quantity_the_baseline_or_none(part: type[Limits]) -> None:
    reticle = 858.0 if part is DeviceLimits else inf
    for area, tdp, expected in (
        (None, None, (inf, inf)),
        ("baseline", "baseline", (300.0, 200.0)),
        ("4 cm^2", "1.5 kW", (400.0, 1500.0)),
        ("400 mm^2", "250 W", (400.0, 250.0)),
    ):
        limits = part.model_validate({"area": area, "tdp": tdp})
        assert (limits.area_mm2(300.0), limits.tdp_w(200.0)) == expected
    plain = part.model_validate({})
    assert (plain.area_mm2(300.0), plain.tdp_w(200.0)) == (reticle, inf)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_stages_are_the_increasing_boundaries_between_them(depth: int) -> None:
    for count in range(4):
        for stages in product((1, 2, 3), repeat=count):
            values = {"pipeline": depth, "stages": list(stages)}
            if count == depth - 1 and list(stages) == sorted(set(stages)):
                assert Parallel.model_validate(values).stages == stages
            else:
                expected = f"stages: must be {depth - 1} increasing layer numbers with pipeline: {depth}"
                assert f"{expected}, got {list(stages)}" in refused(Parallel, **values)


KEY_OF = {"model": None, "table": "file", "zigzag": "cache"}
"""The key that each source of costs needs, and no other has."""


@pytest.mark.parametrize("use", KEY_OF)
@pytest.mark.parametrize("keys", [(), ("file",), ("cache",), ("file", "cache")])
@pytest.mark.parametrize("reach", [None, 1.5])
def test_each_source_of_costs_has_its_key(use: str, keys: tuple[str, ...], reach: float | None) -> None:
    texts = {"file": str(folder() / "base.yaml"), "cache": str(folder() / "cache.csv")}
    values: dict[str, Any] = {"use": use} | {key: texts[key] for key in keys}
    values |= {} if reach is None else {"reach": reach}
    needed = KEY_OF[use]
    wrong = [f"{key}: belongs to use: " for key in keys if key != needed]
    wrong += [f"{needed}: is required with use: {use}"] if needed and needed not in keys else []
    wrong += ["reach: belongs to use: table"] if reach is not None and use != "table" else []
    if wrong:
        said = refused(Cost, **values)
        assert all(part in said for part in wrong)
        assert said.count("belongs to") + said.count("is required") == len(wrong)
    else:
        cost = Cost.model_validate(values)
        assert cost.reach == (None if use != "table" else reach or 2.0)


def test_the_options_of_the_search_are_those_of_the_heuristic() -> None:
    search = Search.model_validate({"top_k": 3, "hysteresis": 0, "order": "best", "bound_pruning": False})
    options = search.options()
    assert set(options) == set(HEURISTIC_OPTIONS)
    assert (options["top_k"], options["hysteresis"], options["order"], options["bound_pruning"]) == (
        3,
        0,
        "best",
        False,
    )
    solver = make_solver("design-search", search.method, **options)
    assert asdict(solver.options) == options


def test_two_names_of_one_method() -> None:
    assert Search.model_validate({"method": "critical-path"}) == Search.model_validate({"method": "wham-like"})
    assert "method" in refused(Search, method="whamlike")


AMOUNTS = st.sampled_from((None, 1.0, 2.0, 60.0))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(AMOUNTS, AMOUNTS), min_size=3, max_size=3))
def test_what_a_budget_covers_is_an_order(given_budgets: list[tuple[float | None, float | None]]) -> None:
    budgets = [Budget.model_validate({"seconds": s, "work": w}) for s, w in given_budgets]

    def covers(larger: Budget, smaller: Budget) -> bool:
        return smaller.covered_by({"seconds": larger.seconds, "work": larger.work})

    a, b, c = budgets
    assert covers(a, a)
    assert not (covers(a, b) and covers(b, c)) or covers(a, c)
    assert not (covers(a, b) and covers(b, a)) or a == b
    amounts = [(inf if x.seconds is None else x.seconds, inf if x.work is None else x.work) for x in (a, b)]
    assert covers(a, b) == all(large >= small for large, small in zip(*amounts, strict=True))


def test_a_deterministic_budget_has_an_end() -> None:
    for seconds, work in product((None, 0, 5.0), (None, 5.0)):
        values = {"deterministic": True, "seconds": seconds, "work": work}
        if seconds is None and work is None:
            assert "else nothing ends the run" in refused(Budget, **values)
        else:
            assert Budget.model_validate(values).deterministic


def _workload(**more: Any) -> StudyWorkload:
    return StudyWorkload.model_validate({"use": "bert-base", "batch": 8, **more})


def test_precision_is_a_word_or_a_mapping() -> None:
    mixed = _workload().precision
    assert mixed == _workload(precision="mixed").precision
    assert (mixed.master, mixed.moments, mixed.gradients, mixed.accumulation) == ("fp32",) * 4
    pure = _workload(precision="pure-bf16").precision
    assert (pure.master, pure.moments, pure.gradients, pure.accumulation) == ("none", "bf16", "bf16", "bf16")
    given = _workload(precision={"gradients": "bf16"}).precision
    assert (given.master, given.gradients, given.accumulation) == ("fp32", "bf16", "bf16")
    assert _workload(precision={"gradients": "bf16", "accumulation": "fp32"}).precision.accumulation == "fp32"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"precision": "bf16"}, "mixed or pure-bf16, or a mapping of master, moments"),
        ({"precision": {"master": "bf16"}}, "'fp32' or 'none'"),
        ({"precision": "pure-bf16", "dtype": "fp32"}, "pure-bf16 needs dtype: bf16 or fp8"),
        ({"precision": "pure-bf16", "dtype": "fp16"}, "pure-bf16 needs dtype: bf16 or fp8"),
        ({"precision": {"moments": "bf16"}, "optimizer": "adamw-8bit"}, "keeps moments in 8 bits"),
        ({"masked": 0}, "greater than 0"),
        ({"masked": 1.01}, "less than or equal to 1"),
        ({"optimizer": "lion"}, "'adamw-8bit'"),
    ],
)
def test_precision_and_optimisers_that_do_not_fit(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        _workload(**more)
