"""A stability by hand."""

from __future__ import annotations

from math import inf

from accmine.questions.stability.record import ConstantRow, Nominal, Stability, Winner

CONSTANT = ConstantRow(
    name="area.sram",
    unit="",
    nominal=1.0,
    low=0.8,
    high=1.2,
    matters=True,
    regret=(0.001, inf),
    broken=((), ("area",)),
    instead=((), ("other",)),
    flips=True,
    correlation=0.5,
    source="a paper",
)
IDLE = ConstantRow("area.link", "", 1.0, 0.9, 1.1, False, (0.0, 0.0), ((), ()), ((), ()), False, 0.0, "a paper")
FOUND = Stability(
    study="s",
    technology="t",
    designs=("answer",),
    asked=300,
    draws=250,
    seed=0,
    tolerance=0.02,
    within=200,
    share=0.8,
    standard_error=0.0253,
    interval=(0.746, 0.845),
    outside_limits=25,
    outside={"area": 25},
    nothing_fits=0,
    share_where_it_fits=0.889,
    median_regret=0.0,
    worst_regret=0.05,
    nominal_regret=0.001,
    winners=(
        Winner(("answer",), True, 0.7, 0.8, (400.0,), (250.0,)),
        Winner(("other",), False, 0.3, 0.9, (380.0,), (240.0,)),
    ),
    constants=(CONSTANT, IDLE),
    pool=(12,),
    refined=4,
    checks=((0.01, 0.03),),
    nominal=Nominal("throughput", "samples/s", 44.0, 47.0, 0.064, "feasible"),
    seconds=3.0,
    folder="runs/x",
)
