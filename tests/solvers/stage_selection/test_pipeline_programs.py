"""The programs of the Lagrangian: bounds below every choice, with or without an option, coarse grids included."""

from __future__ import annotations

import numpy as np
import pytest

from accmine.solvers.stage_selection import one_forward_one_backward, pipeline_programs
from accmine.solvers.stage_selection.pipeline_programs import StageOptions
from tests.samples.program_sample import KINDS, Case


@pytest.fixture(params=[False, True], ids=["fine", "coarse"])
def grid(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param:
        monkeypatch.setattr(one_forward_one_backward, "LEVELS", (6, 6))
        monkeypatch.setattr(pipeline_programs, "GRID", (4, 4))
    return bool(request.param)


@pytest.mark.parametrize("kind", KINDS)
def test_least_value_is_a_lower_bound(kind: str, grid: bool) -> None:
    exact = 0
    for seed in range(80):
        case = Case(kind, seed)
        found = case.program().minimise(case.prices, more=True)
        assert found.value <= case.least + 1e-6
        exact += found.value >= case.least - 1e-6
        for rows in (found.rows, *found.others):
            assert case.values[tuple(rows.tolist())] >= found.value - 1e-6
    assert exact == 80 or kind not in ("bottleneck", "slot")
    assert grid or exact > 10


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("grid")
def test_restriction_keeps_every_better_choice(kind: str) -> None:
    dropped = 0
    for seed in range(80):
        case = Case(kind, seed)
        program = case.program()
        forced = program.forced(case.prices)
        for s, row in enumerate(forced):
            for o, bound in enumerate(row):
                assert bound <= min(v for c, v in case.values.items() if c[s] == o) + 1e-6
        most = case.least + float(np.random.default_rng(seed).uniform(0, case.most))
        assert program.restrict(case.prices, most + 1e-6)
        kept = [set(own.option.tolist()) for own in program.stages]
        names = [own.option.tolist() for own in case.stages]
        for choice, value in case.values.items():
            assert value > most or all(names[s][o] in kept[s] for s, o in enumerate(choice))
        dropped += sum(case.width - len(k) for k in kept)
        assert program.minimise(case.prices).value <= case.least + 1e-6
        assert not case.program().restrict(case.prices, -1.0)
    assert dropped


@pytest.mark.parametrize("kind", KINDS)
def test_exchanges_give_the_relaxed_step_of_the_new_choice(kind: str) -> None:
    for seed in range(60):
        case = Case(kind, seed)
        program = case.program()
        choice = case.choices[seed % len(case.choices)]
        rows = np.array(choice)
        assert program.relaxed(rows) <= case.step(choice)
        for s, steps in enumerate(program.exchanged(rows)):
            for o, step in enumerate(steps):
                other = rows.copy()
                other[s] = o
                assert step == program.relaxed(other)


def test_chains_are_tight_where_stages_are_alike() -> None:
    times = np.full(1, 900)
    own = StageOptions(np.zeros(1, dtype=int), times, times // 3, 2 * times // 3, 0 * times, times, times, times)
    for kind in ("gpipe", "1f1b"):
        case = Case(kind, 0)
        case.stages, case.links, case.microbatches = [own] * 4, [(0, 0)] * 3, 12
        assert case.program().relaxed(np.zeros(4, dtype=int)) == case.step((0, 0, 0, 0)) == 900 * 15
