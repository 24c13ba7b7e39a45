"""Sample outcomes for the tests of the reports: one device, and a pipeline of four stages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from typing import Any

from hypothesis import strategies as st

from accmine.questions.run.record import (
    BaselineRow,
    Certificate,
    Change,
    ChosenDesign,
    LimitRow,
    ModeRow,
    Nearest,
    Outcome,
    PhaseRow,
    StageRow,
    TimeSplit,
    WorkloadRow,
)
from accmine.report import from_json

BIG = "tc4x128x128ws-4Mi_vc4x128x16-2Mi_sh0_hbm16Gi-700GBps_700MHz"
SMALL = "tc9x64x64ws-1Mi_vc6x64x16-1Mi_sh0_hbm16Gi-700GBps_700MHz"
WIDE = "tc12x64x64ws-1Mi_vc4x128x16-1Mi_sh0_hbm16Gi-700GBps_700MHz"
OTHER = "tc2x256x128ws-8Mi_vc2x256x16-4Mi_sh0_hbm16Gi-700GBps_700MHz"


def _phase(name: str, operators: int, repeats: int, cycles: int, bound: int) -> PhaseRow:
    proved = cycles == bound
    return PhaseRow(
        name,
        operators,
        repeats,
        cycles,
        bound,
        "optimal" if proved else "feasible",
        "cp-sat" if proved else "critical-path",
        "critical path of the fastest modes" if proved else "work of tensor over its capacity",
    )


def single() -> Outcome:
    """BERT-Large on one device."""
    split = TimeSplit(0.412, 0.101, 0.152, 0.030, 0.004, 0.028)
    return Outcome(
        study="quickstart",
        status="feasible",
        stop="finished",
        objective="throughput",
        value=0.6132,
        designs=(ChosenDesign(BIG, "tensor_cores: 4\nrows: 128 # <128>\n", ("device",), 331.24, 279.6, 91.75),),
        workloads=(WorkloadRow("bert-large", 32, 8, 4, 0.727, 44.017, 0.5667, 0.5667, 0.0, 153.2),),
        stages=(
            StageRow(
                "bert-large",
                "device",
                ("embeddings", "head"),
                BIG,
                (
                    _phase("microbatch", 2894, 4, 126_800_211, 121_900_000),
                    _phase("update", 396, 1, 2_481_000, 2_481_000),
                ),
                0.727,
                12_483_125_248,
                17_179_869_184,
                210.7,
                split,
            ),
        ),
        area_mm2=331.24,
        tdp_w=279.6,
        samples_per_s_per_w=0.15743,
        limits=(
            LimitRow("area", 333.0, 331.24, "mm²", True, 7.1),
            LimitRow("tdp", 290.4, 279.6, "W", False, 6.2),
        ),
        baselines=(
            BaselineRow("tpuv2-like", "even", (26.99,), (44.017,), 1.6309, 1.6938, 333.0, 290.4),
            BaselineRow("tpuv2-like", "none", (20.11,), (38.52,), 1.9155, 1.9895, 333.0, 290.4),
            BaselineRow(
                "nvdla-like", "none", (), (38.52,), float("nan"), float("nan"), 331.0, 300.1, "memory: needs 18.1 GiB"
            ),
        ),
        modes=(),
        changes=(
            Change("tpuv2-like", (26.99,), 333.0, 290.4, True),
            Change("tensor cores 2 → 4", (41.2,), 402.5, 351.0, False),
            Change("tensor SRAM 16 MiB → 4 MiB", (40.9,), 321.0, 270.2, True),
            Change("vector cores 2 → 4", (43.6,), 331.24, 279.6, True),
            Change("schedule critical-path → cp-sat", (44.017,), 331.24, 279.6, True),
        ),
        nearest=Nearest(SMALL, "device", 0.0123, -4.2, 1.06, "64 columns need twice the passes of the heads."),
        certificate=Certificate(
            metric="throughput",
            unit="samples/s",
            sense="maximize",
            heuristic=43.6,
            objective=44.017,
            bound=47.21,
            gap=0.0676,
            own_bound=45.1,
            method="max(critical path, work per capacity, bytes per bandwidth) over every feasible design",
            selection_status="optimal",
            selection_solver="highs",
            feasible_designs=1_834_112,
            evaluated_designs=412,
            within_one_percent=7,
            scope=("microbatch 8, no recomputation", "the template wham and its ranges"),
            assumptions=(
                "Forward and backward of one microbatch form one graph that runs batch/microbatch times "
                "without overlap; the update graph runs once.",
                "HBM is shared by all cores.",
            ),
        ),
        variant="Under tpu-16nm-multiplier the winner is the same.",
        warnings=("the range of vector SRAM ends at its best value",),
        seconds={"workload": 0.21, "search": 11.3, "refine": 20.4, "certificate": 2.02, "total": 33.9},
        trace=((0.5, 38.2, None), (1.25, 41.0, 60.0), (7.0, 43.6, 49.0), (30.0, 44.017, 47.21)),
        versions={"ortools": "9.15.0", "highspy": "1.14.0"},
        folder="runs/quickstart-1a2b3c",
    )


def pipeline() -> Outcome:
    """GPT2-XL on four unequal stages."""
    base = single()
    names = (BIG, BIG, SMALL, OTHER)
    stages = tuple(
        StageRow(
            "gpt2-xl",
            f"s{i}",
            (f"block-{12 * i}" if i else "embeddings", f"block-{12 * i + 11}" if i < 3 else "lm-head"),
            design,
            (
                _phase("forward", 1210 + i, 64, 7_210_443 + i, 7_210_443),
                _phase("backward", 2510 + i, 64, 14_900_120, 14_100_000),
                _phase("update", 168, 1, 1_200_310, 1_200_310),
            ),
            2.02 + 0.01 * i,
            (13 + i) << 30,
            32 << 30,
            171.2 + i,
            TimeSplit(1.1, 0.2, 0.31 + 0.01 * i, 0.15, 0.06, 0.2),
        )
        for i, design in enumerate(names)
    )
    return replace(
        base,
        study="gpt2-xl-pipeline",
        value=0.9021,
        designs=(
            ChosenDesign(BIG, "a: 1\n", ("s0", "s1"), 331.24, 214.0, 91.75),
            ChosenDesign(SMALL, "a: 2\n", ("s2",), 310.4, 201.2, 51.6),
            ChosenDesign(OTHER, "a: 3\n", ("s3",), 352.0, 230.0, 91.75),
        ),
        workloads=(WorkloadRow("gpt2-xl", 64, 1, 64, 2.28, 28.07, 0.781, 0.781, 0.083, 1612.0),),
        stages=stages,
        area_mm2=1324.9,
        tdp_w=859.2,
        samples_per_s_per_w=0.03267,
        modes=(
            ModeRow("heterogeneous", 0.9021, (28.07,), 1324.9, 859.2, "optimal", names),
            ModeRow("homogeneous", 0.9406, (26.9,), 1324.96, 856.0, "optimal", (BIG,) * 4),
            ModeRow("common", 0.9406, (26.9,), 1324.96, 856.0, "optimal", (WIDE,) * 4),
        ),
        limits=(
            LimitRow("area", 1330.0, 1324.9, "mm²", True, 6.8),
            LimitRow("tdp", 900.0, 859.2, "W", False, 5.9),
        ),
        baselines=(
            BaselineRow("tpuv2-like", "even", (25.3,), (28.07,), 1.1095, 1.5, 1332.0, 1161.6),
            BaselineRow("tpuv2-like", "none", (19.8,), (26.01,), 1.3136, 1.776, 1332.0, 1161.6),
        ),
        changes=(
            Change("tpuv2-like on every stage", (25.3,), 1332.0, 1161.6, False),
            Change("chosen designs", (28.07,), 1324.9, 859.2, True),
        ),
        nearest=None,
        certificate=replace(base.certificate, heuristic=27.5, objective=28.07, bound=30.0, gap=(30.0 - 28.07) / 30.0),
        trace=((1.0, 26.9, 40.0), (9.0, 28.07, 30.0)),
        folder="runs/gpt2-xl-pipeline-9f8e7d",
    )


def common() -> Outcome:
    """Three models on one common design, with a bound that says nothing."""
    base = single()
    row = base.workloads[0]
    three = tuple(replace(row, name=name) for name in ("bert-large", "resnet-50", "gnmt-4"))
    stage = base.stages[0]
    return replace(
        base,
        study="common-design",
        workloads=three,
        stages=tuple(replace(stage, workload=w.name) for w in three),
        baselines=(
            BaselineRow("tpuv2-like", "even", (26.9, 212.5, 91.0), (44.0, 260.0, 104.2), 1.14, 1.2, 333.0, 290.4),
        ),
        changes=tuple(replace(c, samples_per_s=c.samples_per_s * 3) for c in base.changes),
        certificate=replace(
            base.certificate,
            metric="relative step time",
            unit="",
            sense="minimize",
            heuristic=0.8,
            objective=0.75,
            bound=0.0,
            gap=1.0,
        ),
        trace=(),
    )


@st.composite
def odd(draw: st.DrawFn) -> Outcome:
    """An outcome of the right form whose words and numbers are anything; counts are not negative."""
    sample = draw(st.sampled_from((single, pipeline, common)))()
    words = cycle(draw(st.lists(st.text(max_size=30), min_size=1, max_size=9)))
    floats = cycle(draw(st.lists(st.floats() | st.none(), min_size=1, max_size=9)))
    integers = cycle(draw(st.lists(st.integers(0, 10**30), min_size=1, max_size=9)))
    return from_json(Outcome, _changed(sample.to_json(), words, floats, integers))


def _changed(value: Any, words: Iterator[str], floats: Iterator[float | None], integers: Iterator[int]) -> Any:
    if isinstance(value, dict):
        return {key: _changed(item, words, floats, integers) for key, item in value.items()}
    if isinstance(value, list):
        return [_changed(item, words, floats, integers) for item in value]
    if isinstance(value, str):
        return next(words)
    if isinstance(value, float):
        return next(floats)
    return next(integers) if isinstance(value, int) and not isinstance(value, bool) else value
