"""Windows of a schedule: what is cut out, decided and put back is a valid and shorter schedule."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.problems import operator_schedule
from accmine.problems.schedule_window import bound, check
from accmine.result import Status
from accmine.solvers.operator_schedule.critical_path import quick
from accmine.solvers.operator_schedule.list_schedule import ListScheduler
from accmine.solvers.operator_schedule.window_cut import Timeline, borders, cut, put_back
from accmine.solving import solve
from tests.samples.window_sample import brute_force, make


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 7), st.integers(1, 3), st.booleans())
def test_cut_solve_and_put_back(seed: int, n: int, most: int, backwards: bool) -> None:
    problem = make(seed, n)
    # A schedule of the plain order: worse than the best, so that windows have something to find.
    solution = ListScheduler(problem).run([-i for i in range(n)], policy="efficient", reverse=backwards)
    timeline = Timeline.of(problem, solution)
    for begin, stop in borders(timeline, 1, most, 0):
        piece = cut(timeline, begin, stop)
        assert check(piece.problem, piece.now) == ()
        result = solve(piece.problem, hint=piece.now)
        assert result.status is Status.OPTIMAL
        assert result.objective == brute_force(piece.problem)
        assert -bound(piece.problem)[0] >= result.objective
        assert result.solution is not None
        better = put_back(timeline, piece, result.solution)
        assert operator_schedule.check(problem, better) == ()
        gain = operator_schedule.objective(problem, solution) - operator_schedule.objective(problem, better)
        assert gain >= result.solution.gain


@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(1, 6), st.integers(0, 6), st.integers(0, 6))
def test_borders_cover_everything_once(seed: int, n: int, least: int, more: int, first: int) -> None:
    timeline = Timeline.of(problem := make(seed, n), quick(problem))
    found = borders(timeline, least, least + more, first)
    assert [0, *(stop for _, stop in found)] == [*(begin for begin, _ in found), n]
    assert all(least <= stop - begin < 2 * least + more for begin, stop in found[1:-1])


def test_equal_windows_have_equal_keys_and_others_not() -> None:
    modes = [{"duration": d, "uses": {"t": u}} for d, u in ((3, 1), (2, 2))]
    chain = [{"name": f"o{i}", "modes": modes, "after": [f"o{i - 1}"] if i else []} for i in range(8)]
    problem = operator_schedule.problem_from_json({"resources": {"t": 2}, "operations": chain})
    timeline = Timeline.of(problem, quick(problem))
    assert cut(timeline, 0, 2).problem.schedule.names != cut(timeline, 2, 4).problem.schedule.names
    assert cut(timeline, 0, 2).key == cut(timeline, 2, 4).key == cut(timeline, 4, 6).key
    assert cut(timeline, 2, 4).key != cut(timeline, 2, 5).key


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12))
def test_the_line_follows_the_starts_and_the_precedences(seed: int, n: int) -> None:
    problem = make(seed, n)
    timeline = Timeline.of(problem, quick(problem))
    start = timeline.solution.start
    assert (start[timeline.line][1:] >= start[timeline.line][:-1]).all()
    assert (timeline.line[timeline.rank] == range(n)).all()
    assert all(timeline.rank[a] < timeline.rank[b] for a, b in problem.edges.tolist())
    assert int(timeline.end.max(initial=0)) == operator_schedule.objective(problem, timeline.solution)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 12), st.integers(0, 11), st.integers(1, 6))
def test_what_is_put_back_unchanged_is_the_schedule(seed: int, n: int, begin: int, width: int) -> None:
    problem = make(seed, n)
    timeline = Timeline.of(problem, quick(problem))
    begin = begin % n
    stop = min(n, begin + width)
    piece = cut(timeline, begin, stop)
    same = put_back(timeline, piece, piece.now)
    assert (same.start == timeline.solution.start).all()
    assert (same.mode == timeline.solution.mode).all()
    assert sorted(piece.free.tolist()) == sorted(timeline.line[begin:stop].tolist())
