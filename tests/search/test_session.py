"""A session: the seed reaches every solver, its parts share what they should, `gap` measures what `run` runs."""

from __future__ import annotations

from typing import Any

import pytest

from accmine import registry, solving
from accmine.plan import plan_of
from accmine.ports import Stop
from accmine.questions.gap.measure import Ground
from accmine.questions.run.flow import solve_study
from accmine.search import ANSWER, Kept, Session, candidates, metric, proof
from accmine.search.budget import RUN
from accmine.study.parts import Budget as Limits
from tests.samples.gap_sample import BUDGET, KEYS, no_prover
from tests.samples.gap_sample import study as tiny
from tests.samples.search_sample import pipeline, planned, session

SEED = 7


@pytest.fixture
def seeds(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], set[int]]:
    """Seeds by kind and name of every solver that is asked."""
    seen: dict[tuple[str, str], set[int]] = {}
    real = registry.make_solver

    class Spy:
        def __init__(self, kind: str, solver: Any) -> None:
            self.name, self._kind, self._solver = solver.name, kind, solver

        def search(self, record: Any) -> Any:
            seen.setdefault((self._kind, self.name), set()).add(record.seed)
            return self._solver.search(record)

    for module in (solving, candidates, proof):
        monkeypatch.setattr(module, "make_solver", lambda kind, name, **more: Spy(kind, real(kind, name, **more)))
    return seen


Seeds = dict[tuple[str, str], set[int]]


@pytest.mark.parametrize("case", ["one device", "pipeline"])
def test_the_seed_reaches_every_solver_of_a_run(case: str, seeds: Seeds) -> None:
    plan = plan_of(tiny(**KEYS[case], budget=BUDGET | {"seed": SEED}))
    solve_study(plan, Kept(), lambda *_: None)
    kinds = {kind for kind, _ in seeds}
    assert kinds == {"design-search", "operator-schedule", "stage-selection"}
    assert ("design-search", "wham-like") in seeds
    assert (("design-search", "best-first") in seeds) == (case == "one device")
    searched = {name: found for name, found in seeds.items() if name[0] != "operator-schedule"}
    assert all(found == {SEED} for found in searched.values()), searched
    # Candidates are compared by list schedules, which draw nothing.
    assert all(found <= {SEED, 0} and SEED in found for found in seeds.values()), seeds


@pytest.mark.parametrize("seed", [1, 2])
def test_the_seed_reaches_a_registered_heuristic(seed: int, seeds: Seeds) -> None:
    with no_prover(), Ground(tiny(budget=BUDGET | {"seed": seed})) as base:
        seeds.clear()
        base.measure(base.study.search, "wham-like")
    assert seeds["design-search", "wham-like"] == {seed}


@pytest.mark.parametrize("case", ["one device", "per TDP", "common"])
def test_gap_measures_what_a_run_proposes(case: str) -> None:
    """Where the baseline is not what a run chooses first, its heuristic has the value of the gap table."""
    study = tiny(**KEYS[case], baseline=_weak())
    plan = plan_of(study)
    outcome, _ = solve_study(plan, Kept(), lambda *_: None, compare=False)
    with no_prover(), Ground(study) as base:
        found = base.measure(base.study.search)
        assert found.first is not None
        assert outcome.certificate.heuristic == pytest.approx(metric(base.plan).shown(found.first.value), rel=1e-12)


def _weak() -> str:
    """A baseline that no search proposes: smaller than all of the space."""
    from tests.samples.search_sample import BASE, folder

    path = folder() / "weak.yaml"
    path.write_text(BASE.replace("vector_lanes: 8", "vector_lanes: 4").replace("name: base", "name: weak"))
    return str(path)


def test_a_fresh_session_knows_nothing_and_an_inner_one_shares() -> None:
    here = session(*planned(), stop=Stop(work=10.0))
    task, design = here.plan.tasks[0], here.plan.baseline
    here.cycles[task, design] = (1, 2)
    assert here.fresh(here.budget).cycles == {}
    here.budget.begin("select")
    inner = here.inner(ANSWER)
    assert inner.cycles is here.cycles
    behind = [RUN.shares[step] for step in ("select", "refine", "prove", "compare")]
    assert inner.budget.total.work == pytest.approx(10 * behind[0] / sum(behind))


def test_progress_keeps_the_last_known_values() -> None:
    heard: list[Any] = []
    here = session(*planned(), on_progress=lambda *row: heard.append(row[1:]))
    for row in ((None, 1.0), (3.0, None), (3.0, None), (2.0, 1.5)):
        here.progress(*row)
    assert heard == [(None, 1.0), (3.0, 1.0), (2.0, 1.5)]


def test_the_first_interrupt_leaves_a_block_and_the_second_ends_the_run() -> None:
    here = session(*planned())
    with here.interruptible():
        raise KeyboardInterrupt
    assert here.interrupted
    with pytest.raises(KeyboardInterrupt), here.interruptible():
        raise KeyboardInterrupt


def test_no_designs_are_promised_to_a_single_task_or_after_an_interrupt() -> None:
    assert candidates.promising_designs(session(*planned())) == []
    here = session(*planned(models=("gpt",), **pipeline(2)))
    found = candidates.promising_designs(here)
    assert 0 < len(found) <= candidates.PROMISING
    here.interrupted = True
    assert candidates.promising_designs(here) == []


def test_a_part_is_final_for_no_larger_budget_and_begun_after_an_interrupt() -> None:
    plan, library = planned()
    store = Kept()

    def here(seconds: float | None) -> Session:
        return session(plan, library, store=store, limits=Limits(seconds=seconds))

    def final(seconds: float | None) -> bool | None:
        found = here(seconds).known("k", lambda part: part["a"])
        return None if found is None else found.final

    assert final(1) is None
    ended = here(5)
    ended.keep("k", {"a": 1})
    assert [final(seconds) for seconds in (1, 5, 6, None)] == [True, True, False, False]
    longer = here(9)
    longer.interrupted = True
    longer.keep("k", {"a": 2})
    assert [final(seconds) for seconds in (1, 5, 6, None)] == [True, True, False, False], "as long as it took before"
    here(2).keep("k", {"a": 3}, complete=True)
    assert final(None) is True
    broken = here(1)
    broken.interrupted = True
    broken.keep("other", {"a": 1})
    found = broken.known("other", lambda part: part["a"])
    assert found is not None
    assert (found.value, found.final) == (1, False)


def test_a_run_that_repeats_goes_on_with_the_work_that_was_left() -> None:
    plan, library = planned()
    store, limits = Kept(), Limits(work=10, deterministic=True)
    one = session(plan, library, Stop(work=10.0), store=store, limits=limits)
    one.budget.begin("propose")
    one.budget.spend(1 / 3)
    one.keep("k", {})
    one.interrupted = True
    one.keep("half", {})
    two = session(plan, library, Stop(work=10.0), store=store, limits=limits)
    assert two.known("half", lambda part: part) is None
    assert two.known("k", lambda part: part) is not None
    assert two.budget.work_left == one.budget.work_left
