"""PSPLIB files: read exactly, recognised, and refused with the place of what is wrong."""

from __future__ import annotations

import random
import re
from pathlib import Path

import numpy as np
import pytest

from accmine import solving
from accmine.cli import app
from accmine.errors import InputError
from accmine.ports import Stop
from accmine.problems.files import FORMATS
from accmine.problems.operator_schedule import Problem, check, objective, psplib
from accmine.result import Status

RULE = "*" * 72

SINGLE = """\
************************************************************************
file with basedata            : self-made
initial value random generator: 1
************************************************************************
projects                      :  1
jobs (incl. supersource/sink ):  6
horizon                       :  17
RESOURCES
  - renewable                 :  2   R
  - nonrenewable              :  0   N
  - doubly constrained        :  0   D
************************************************************************
PROJECT INFORMATION:
pronr.  #jobs rel.date duedate tardcost  MPM-Time
    1      4      0        9        2        9
************************************************************************
PRECEDENCE RELATIONS:
jobnr.    #modes  #successors   successors
   1        1          2           2   3
   2        1          1           4
   3        1          1           5
   4        1          1           6
   5        1          1           6
   6        1          0
************************************************************************
REQUESTS/DURATIONS:
jobnr. mode duration  R 1  R 2
------------------------------------------------------------------------
  1      1     0       0    0
  2      1     3       2    0
  3      1     4       2    1
  4      1     5       0    2
  5      1     5       1    1
  6      1     0       0    0
************************************************************************
RESOURCEAVAILABILITIES:
  R 1  R 2
    3    2
************************************************************************
"""

ROW = "   4        1          1           6"
REQUEST = "  4      1     5       0    2"
LAST = "  6      1     0       0    0\n"

MULTI = (
    SINGLE.replace("   2        1          1           4", "   2        2          1           4")
    .replace("  2      1     3       2    0\n", "  2      1     3       2    0\n         2     6       1    0\n")
    .replace("   5        1          1", "   5        3          1")
    .replace(
        "  5      1     5       1    1\n",
        "  5      1     5       1    1\n         2     2       3    2\n         3     9       9    0\n",
    )
)


def dense(problem: Problem) -> list[list[tuple[int, list[int]]]]:
    """(duration, requests) of every mode of every operation."""
    sets = [list(zip(m.duration.tolist(), m.uses.tolist(), strict=True)) for m in problem.mode_sets]
    return [sets[k] for k in problem.mode_set.tolist()]


def test_single_mode() -> None:
    problem = psplib.read(SINGLE)
    assert problem.names == ("1", "2", "3", "4", "5", "6")
    assert problem.resources == ("R1", "R2")
    assert problem.capacity.tolist() == [3, 2]
    assert problem.edges.tolist() == [[0, 1], [0, 2], [1, 3], [2, 4], [3, 5], [4, 5]]
    assert dense(problem)[1:5] == [[(3, [2, 0])], [(4, [2, 1])], [(5, [0, 2])], [(5, [1, 1])]]
    assert problem.time_unit is None
    result = solving.solve(problem, "cp-sat", stop=Stop(seconds=20))
    # 2 and 3 exclude each other by R1; 4 excludes 3 and 5 by R2: 3, then 5 beside 2, then 4
    assert (result.status, result.objective) == (Status.OPTIMAL, 14)


def test_multi_mode_with_a_mode_that_never_fits() -> None:
    problem = psplib.read(MULTI)
    assert dense(problem)[1] == [(3, [2, 0]), (6, [1, 0])]
    assert dense(problem)[4] == [(5, [1, 1]), (2, [3, 2]), (9, [9, 0])]
    result = solving.solve(problem, "cp-sat", stop=Stop(seconds=20))
    assert (result.status, result.objective) == (Status.OPTIMAL, 13)
    assert result.solution is not None
    assert check(problem, result.solution) == ()


BUDGETED = (
    MULTI.replace("nonrenewable              :  0", "nonrenewable              :  1")
    .replace("R 1  R 2\n", "R 1  R 2  N 1\n")
    .replace("    0    0\n", "    0    0    0\n")
    .replace("       2    0\n", "       2    0    4\n")
    .replace("       1    0\n", "       1    0    6\n")
    .replace("       2    1\n", "       2    1    0\n")
    .replace("       0    2\n", "       0    2    1\n")
    .replace("       1    1\n", "       1    1    0\n")
    .replace("       3    2\n", "       3    2    3\n")
    .replace("       9    0\n", "       9    0    2\n")
    .replace("    3    2\n***", "    3    2   10\n***")
)
"""Operations 2, 4 and 5 use up at most 6 + 1 + 3 = 10 of N1."""


def test_a_budget_that_nothing_can_exceed_is_left_out() -> None:
    problem = psplib.read(BUDGETED)
    assert problem.resources == ("R1", "R2")
    assert problem.capacity.tolist() == [3, 2]
    assert dense(problem) == dense(psplib.read(MULTI))
    with pytest.raises(InputError) as caught:
        psplib.read(BUDGETED.replace("    3    2   10\n***", "    3    2    9\n***"), "f")
    (complaint,) = caught.value.complaints
    assert complaint.where.startswith("f:39:") or complaint.where.startswith("f:4")
    assert "the modes may use up 10 of nonrenewable N1, allowed: 9" in complaint.message


def written(seed: int) -> tuple[str, list[list[tuple[int, list[int]]]], list[int], set[tuple[int, int]]]:
    """A random file, and what it says."""
    rng = random.Random(seed)
    n, r = rng.randint(1, 12), rng.randint(1, 4)
    capacity = [rng.randint(1, 20) for _ in range(r)]
    modes = [
        [
            (rng.choice([0, 1, rng.randint(0, 10**12)]), [rng.randint(0, c) for c in capacity])
            for _ in range(rng.randint(1, 3))
        ]
        for _ in range(n)
    ]
    edges = {(i, j) for i in range(n) for j in range(i + 1, n) if rng.random() < 0.3}
    lines = [RULE, f"jobs (incl. supersource/sink ):  {n}", "RESOURCES", f"  - renewable : {r} R", RULE]
    lines += ["PRECEDENCE RELATIONS:", "jobnr.    #modes  #successors   successors"]
    for i in range(n):
        after = [str(j + 1) for a, j in sorted(edges) if a == i]
        lines.append(" ".join([str(i + 1), str(len(modes[i])), str(len(after)), *after]))
    heads = [f"R {k + 1}" for k in range(r)]
    lines += [RULE, "REQUESTS/DURATIONS:", "jobnr. mode duration " + "  ".join(heads), "-" * 72]
    for i in range(n):
        for k, (duration, uses) in enumerate(modes[i]):
            first = f"{i + 1}\t" if k == 0 else "\t"
            lines.append(first + " ".join(map(str, [k + 1, duration, *uses])))
    lines += [RULE, "RESOURCEAVAILABILITIES:", "  ".join(heads), " ".join(map(str, capacity)), RULE]
    return rng.choice(["\n", "\r\n"]).join(lines), modes, capacity, edges


@pytest.mark.parametrize("seed", range(40))
def test_what_is_written_is_read(seed: int) -> None:
    text, modes, capacity, edges = written(seed)
    problem = psplib.read(text)
    assert dense(problem) == [[(d, uses if d else [0] * len(uses)) for d, uses in own] for own in modes]
    assert problem.capacity.tolist() == capacity
    assert set(map(tuple, problem.edges.tolist())) == edges


def test_no_resources() -> None:
    text = re.sub(r"renewable                 :  2", "renewable                 :  0", SINGLE, count=1)
    text = text.replace("  R 1  R 2\n---", "\n---").replace("R 1  R 2", "").replace("    3    2\n", "")
    text = re.sub(r"^(  \d      1     \d).*$", r"\1", text, flags=re.MULTILINE)
    problem = psplib.read(text)
    assert problem.resources == ()
    assert solving.solve(problem, "critical-path").objective == 9


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("nonrenewable              :  0", "nonrenewable              :  2", "R1, R2; the head says 4"),
        ("constrained        :  0", "constrained        :  1", ":11:34: doubly constrained: 1, allowed: 0"),
        ("projects                      :  1", "projects                      :  3", ":5:34: projects: 3, allowed: 1"),
        ("sink ):  6", "sink ):  six", ":6:34: the number of jobs must be a whole number, got 'six'"),
        ("sink ):  6", "sink ):  0", ":6:34: the number of jobs must be at least 1"),
        ("sink ):  6", "sink ):  ", ":6:1: the number of jobs is missing"),
        ("sink ):  6", "sink ):  7", ":24:1: 6 jobs in PRECEDENCE RELATIONS, the head says 7"),
        ("horizon                       :  17", "jobs: 3", ":7:1: jobs is given twice, first on line 6"),
        ("  - renewable                 :  2   R\n", "", ":1:1: the head has no line 'renewable : NUMBER'"),
        ("    1      4      0", "    1      4      5", ":15:19: the release date must be 0, got 5"),
        (ROW, "   4        1          1           7", "successor must be 1 to 6, got 7"),
        (ROW, "   4        1          1           x", ":22:36: a successor must be a whole"),
        (ROW, "   4        1          2           6", ":22:24: 2 successors announced, 1 g"),
        (ROW, "   4        1          2          6 6", ":22:37: job 4 has successor 6 twice"),
        (ROW, "   4        1          1           2", "wait for each other: "),
        (ROW, "   4        1          1           4", "wait for each other: 4 -> 4"),
        (ROW, "   4        0          1           6", ":22:13: the number of modes must be 1"),
        (ROW, "   5        1          1           6", ":22:4: the job number must be 4, got 5"),
        (ROW, "   4", ":22:4: needs job number, number of modes"),
        (REQUEST, "  4      1     5.5     0    2", ":32:16: the duration must be a whole number, got '5.5'"),
        (REQUEST, "  4      1     -5      0    2", ":32:16: the duration must be 0 to"),
        (REQUEST, "  4      1     5       0", ":32:3: job 3 has its 1 modes: needs job number"),
        (REQUEST, "  4      1     5       0    -2", ":32:29: the request of R2 must be 0 to"),
        (REQUEST, "  4      2     5       0    2", ":32:10: the mode must be 1, got 2"),
        ("  4      1     5       0    2\n", "", ":32:3: the job number must be 4, got 5"),
        ("  6      1     0       0    0\n", "", ":33:1: 5 jobs in REQUESTS/DURATIONS, 6 in PRECEDENCE"),
        (LAST, LAST + LAST.replace("6", "7"), ":35:3: a job too many"),
        ("  4      1     5       0    2\n", f"  4      1     {10**18 * 5}       0    2\n", "the duration must be 0 to"),
        ("duration  R 1  R 2", "duration  R 1", ":27:1: the columns name the resources R1; the head says 2"),
        ("duration  R 1  R 2", "duration  R 1  R 1", "the columns name the resources R1, R1; the head says 2"),
        ("  R 1  R 2\n    3", "  R 2  R 1\n    3", ":37:3: needs the resources in the order R1, R2"),
        ("    3    2\n", "    3\n", ":38:5: needs one line of 2 amounts"),
        ("    3    2\n", "", ":37:3: needs one line of 2 amounts"),
        ("    3    2\n", "    3    many\n", ":38:10: the amount of R2 must be a whole number, got 'many'"),
        ("RESOURCEAVAILABILITIES:\n", "\n", "section RESOURCEAVAILABILITIES is missing; needed: PRECEDENCE RELATIONS"),
        ("REQUESTS/DURATIONS:\n", "\n", "section REQUESTS/DURATIONS is missing"),
        ("PRECEDENCE RELATIONS:\n", "\n", "section PRECEDENCE RELATIONS is missing"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_located(old: str, new: str, says: str, tmp_path: Path) -> None:
    assert old in SINGLE
    file = tmp_path / "bad.sm"
    file.write_text(SINGLE.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        solving.load_problem(file)
    assert says in str(caught.value)
    for line in str(caught.value).splitlines():
        assert re.match(rf"{re.escape(str(file))}:\d+:\d+: ", line), line


def test_a_job_that_needs_too_much_has_no_schedule() -> None:
    result = solving.solve(psplib.read(SINGLE.replace(REQUEST, "  4      1     5       0    3")))
    assert (result.status, result.solution) == (Status.INFEASIBLE, None)
    assert any("R2" in line and "'4'" in line for line in result.remedy)


def test_modes_that_are_missing_or_too_many() -> None:
    for old, new, says in (
        ("         2     6       1    0\n", "", "31:3: job 2 has 1 of its 2 modes"),
        ("  3     9       9    0\n", "  3     9       9    0\n         4     9       9    0\n", "job 5 has its 3 m"),
        ("         2     6       1    0\n", "         2     6       1\n", "31:10: needs job number"),
    ):  # fmt: skip
        assert old in MULTI
        with pytest.raises(InputError, match=says):
            psplib.read(MULTI.replace(old, new))


@pytest.mark.parametrize("seed", range(60))
def test_damaged_files_never_crash(seed: int) -> None:
    """Whatever is cut, swapped or overwritten: a problem or an InputError, nothing else."""
    rng = random.Random(seed)
    text = rng.choice([SINGLE, MULTI])
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(text))
        text = (
            text[:at]
            + rng.choice(["", " ", "9", "-1", "x", "\n", "*", ":", "R 3", "\0", "²"])
            + text[at + rng.randint(0, 40) :]
        )
    try:
        outcome = len(psplib.read(text, "file"))
    except InputError as error:
        outcome = sum(str(c).startswith("file:") for c in error.complaints)
    assert outcome >= 1


def test_recognised_by_name_and_by_content(tmp_path: Path) -> None:
    for name, text in (("a.sm", SINGLE), ("a.SM", SINGLE), ("a.mm", MULTI), ("a.txt", SINGLE)):
        file = tmp_path / name
        file.write_text(text)
        assert len(solving.load_problem(file)) == 6
    assert len(solving.load_problem(SINGLE)) == 6
    with pytest.raises(InputError, match="not valid YAML"):
        solving.load_problem(SINGLE, "accmine")
    own = '{"kind": "operator-schedule", "operations": []}'
    assert len(solving.load_problem(own, "accmine")) == 0
    misnamed = tmp_path / "own.sm"
    misnamed.write_text(own)
    assert len(solving.load_problem(misnamed, "accmine")) == 0
    with pytest.raises(InputError, match="is no file of PSPLIB; it looks like a problem of accmine"):
        solving.load_problem(misnamed)
    with pytest.raises(InputError, match=r"unknown format 'psp'; known: accmine .*, psplib"):
        solving.load_problem(misnamed, "psp")
    assert all(known.says for known in FORMATS.values())


def test_the_command_line_solves_and_checks(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    file, result = tmp_path / "project.sm", tmp_path / "result.json"
    file.write_text(SINGLE)
    (tmp_path / "project.dat").write_text(SINGLE)
    runner = CliRunner()
    done = runner.invoke(app, ["solve", str(file), "--solver", "cp-sat", "-o", str(result)])
    assert done.exit_code == 0, done.output
    assert "optimal (proved)" in done.output
    for arguments in ([str(file)], [str(tmp_path / "project.dat"), "--format", "psplib"]):
        checked = runner.invoke(app, ["check", *arguments[:1], str(result), *arguments[1:]])
        assert checked.exit_code == 0, checked.output
        assert checked.output.startswith("valid\nobjective 14")


def test_dummies_change_no_makespan() -> None:
    """The file's schedule without source and sink is as long."""
    problem = psplib.read(SINGLE)
    solution = solving.solve(problem, "cp-sat", stop=Stop(seconds=20)).solution
    assert solution is not None
    inner = np.arange(1, 5)
    ends = solution.start[inner] + problem.shortest[problem.mode_set][inner]
    assert objective(problem, solution) == int(ends.max())
    assert int(solution.start[inner].min()) == 0
