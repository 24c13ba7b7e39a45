"""Project scheduling instances of PSPLIB as operator schedules: single-mode ``.sm`` and multi-mode ``.mm`` files.

The format is that of the generator ProGen (Kolisch and Sprecher, EJOR 96 (1996) 205-216): jobs 1 to n with a
supersource and a supersink of no length, successors of every job, and for each mode of a job its duration and
its request of every resource. Jobs become operations named by their number, the two dummies included: they
last no time and hold nothing, so makespans are those of the literature and start times those of the file.

Nonrenewable resources are a budget of the whole project, which an operator schedule has no word for. One that no
choice of modes can exceed is left out; a file with another one is refused, as is one with doubly constrained
resources. The horizon, due dates and tardiness costs of a file do not bear on the makespan and are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from accmine.errors import Complaint, InputError
from accmine.problems.operator_schedule.precedence import find_cycle, order_of
from accmine.problems.operator_schedule.problem import MAX_TIME, ModeSet, Problem

__all__ = ["looks_like", "read"]

_PRECEDENCE = "PRECEDENCE RELATIONS"
_REQUESTS = "REQUESTS/DURATIONS"
_CAPACITIES = "RESOURCEAVAILABILITIES"
_PROJECT = "PROJECT INFORMATION"
_SECTIONS = (_PRECEDENCE, _REQUESTS, _CAPACITIES)
_COUNTS = {
    "projects": re.compile(r"projects\s*:"),
    "jobs": re.compile(r"jobs\b[^:]*:"),
    "renewable": re.compile(r"-?\s*renewable\s*:"),
    "nonrenewable": re.compile(r"-?\s*nonrenewable\s*:"),
    "doubly constrained": re.compile(r"-?\s*doubly constrained\s*:"),
}
_OPTIONAL = ("projects", "nonrenewable", "doubly constrained")  # absent means one project, none of the resources
_USED_UP = "resources that are used up have no place in an operator schedule"
_RULE = re.compile(r"\s*[*-][*-]+\s*\Z")


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    line: int
    column: int


@dataclass(slots=True)
class _Row:
    words: list[_Word]

    @property
    def line(self) -> int:
        return self.words[0].line


@dataclass(slots=True)
class _Job:
    """What the two tables say of a job; ``at`` is its number in the first of them."""

    at: _Word
    modes: int
    successors: list[_Word]
    rows: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)


def looks_like(text: str) -> bool:
    """Whether a text has the section titles of a PSPLIB file."""
    return all(re.search(rf"^\s*{re.escape(title)}", text, re.MULTILINE) for title in (_PRECEDENCE, _REQUESTS))


def read(text: str, where: str = "") -> Problem:
    """The problem of a PSPLIB file.

    Parameters
    ----------
    text
        Content of the file.
    where
        Its name, for messages.

    Returns
    -------
    Problem
        Operations ``1`` to ``n`` in the order of the file; resources named as its columns without blanks
        (``R1``, …).

    Raises
    ------
    InputError
        With everything that is wrong, as ``file:line:column: what is wrong and what is allowed``.
    """
    return _Reader(text, where).problem()


class _Reader:
    """Reads one file and collects what is wrong with it."""

    def __init__(self, text: str, where: str) -> None:
        self.where = where
        self.lines = text.splitlines()
        self.complaints: list[Complaint] = []

    def complain(self, at: _Word | int, message: str) -> None:
        """Note one thing wrong at a word, or on a line."""
        line, column = (at, 1) if isinstance(at, int) else (at.line, at.column)
        place = f"{self.where}:{line}:{column}" if self.where else f"{line}:{column}"
        self.complaints.append(Complaint(place, "", message))

    def settle(self) -> None:
        """Raise what has been found; what follows would only repeat it."""
        if self.complaints:
            raise InputError(self.complaints)

    def number(self, word: _Word, what: str, low: int = 0, high: int = MAX_TIME) -> int:
        """A whole number between two limits; the lower one after a complaint."""
        if not re.fullmatch(r"[+-]?\d{1,30}", word.text, re.ASCII):
            self.complain(word, f"{what} must be a whole number, got {word.text[:40]!r}")
        elif not low <= int(word.text) <= high:
            allowed = f"{low}" if low == high else f"{low} to {high}"
            self.complain(word, f"{what} must be {allowed}, got {word.text}")
        else:
            return int(word.text)
        return low

    def words(self, index: int, start: int = 0) -> list[_Word]:
        """The words of a line from a column on; ``index`` counts from 0, positions in messages from 1."""
        found = re.finditer(r"\S+", self.lines[index][start:])
        return [_Word(m.group(), index + 1, start + m.start() + 1) for m in found]

    def counts(self) -> dict[str, tuple[int, _Word]]:
        """The numbers of the file's head, each with its place."""
        found: dict[str, tuple[int, _Word]] = {}
        for index, line in enumerate(self.lines):
            if line.strip().startswith(_PRECEDENCE):
                break
            for what, pattern in _COUNTS.items():
                match = pattern.match(line.strip())
                if match is None:
                    continue
                words = self.words(index, line.index(":") + 1)
                if what in found:
                    self.complain(index + 1, f"{what} is given twice, first on line {found[what][1].line}")
                elif not words:
                    self.complain(index + 1, f"the number of {what} is missing")
                else:
                    found[what] = (self.number(words[0], f"the number of {what}"), words[0])
        for what in _COUNTS:
            if what not in found and what not in _OPTIONAL and not self.complaints:
                self.complain(1, f"the head has no line '{what} : NUMBER'")
        return found

    def scope(self) -> tuple[int, int, int]:
        """Numbers of jobs, renewable and nonrenewable resources, after refusing what no operator schedule can say."""
        found = self.counts()
        self.settle()
        for what, allowed, why in (
            ("projects", 1, "one project per file can be scheduled"),
            ("doubly constrained", 0, _USED_UP),
        ):
            if what in found and found[what][0] != allowed:
                count, at = found[what]
                self.complain(at, f"{what}: {count}, allowed: {allowed}; {why}")
        jobs, at = found["jobs"]
        if jobs < 1:
            self.complain(at, "the number of jobs must be at least 1")
        self.released()
        self.settle()
        return jobs, found["renewable"][0], found["nonrenewable"][0] if "nonrenewable" in found else 0

    def released(self) -> None:
        """Refuse a project that may not start at once: its makespan would not be its end."""
        index = next((k for k, line in enumerate(self.lines) if line.strip().startswith(_PROJECT)), None)
        if index is not None and index + 2 < len(self.lines):
            words = self.words(index + 2)
            if len(words) > 2:
                self.number(words[2], "the release date", 0, 0)

    def section(self, title: str) -> Iterator[_Row]:
        """The rows of a table, its heading first, up to the next line of stars."""
        index = next((k for k, line in enumerate(self.lines) if line.strip().startswith(title)), None)
        if index is None:
            self.complain(max(1, len(self.lines)), f"section {title} is missing; needed: {', '.join(_SECTIONS)}")
            return
        for k in range(index + 1, len(self.lines)):
            line = self.lines[k]
            if line.lstrip().startswith("*"):
                return
            if line.strip() and not _RULE.match(line):
                yield _Row(self.words(k))

    def table(self, title: str) -> tuple[_Row | None, list[_Row]]:
        """Heading and rows of a table."""
        rows = list(self.section(title))
        if not rows and not self.complaints:
            self.complain(max(1, len(self.lines)), f"section {title} is empty")
        return (rows[0], rows[1:]) if rows else (None, [])

    def jobs(self, count: int) -> list[_Job]:
        """The table of precedences."""
        _, rows = self.table(_PRECEDENCE)
        self.settle()
        found: list[_Job] = []
        for row in rows:
            if len(row.words) < 3:
                self.complain(row.words[0], "needs job number, number of modes, number of successors, successors")
                continue
            self.number(row.words[0], "the job number", len(found) + 1, len(found) + 1)
            modes = self.number(row.words[1], "the number of modes", 1, 1_000_000)
            successors = self.number(row.words[2], "the number of successors", 0, count)
            listed = row.words[3:]
            if len(listed) != successors:
                self.complain(row.words[2], f"{successors} successors announced, {len(listed)} given")
            found.append(_Job(row.words[0], modes, listed))
        self.settle()
        if len(found) != count:
            at = rows[-1].line if rows else len(self.lines)
            self.complain(at, f"{len(found)} jobs in {_PRECEDENCE}, the head says {count}")
        return found

    def edges(self, jobs: Sequence[_Job]) -> list[tuple[int, int]]:
        """(before, after) pairs, each once."""
        found: dict[tuple[int, int], None] = {}
        for i, job in enumerate(jobs):
            for word in job.successors:
                j = self.number(word, "a successor", 1, len(jobs)) - 1
                if (i, j) in found:
                    self.complain(word, f"job {i + 1} has successor {j + 1} twice")
                found[i, j] = None
        self.settle()
        order = order_of(len(jobs), np.array(list(found), dtype=np.int64).reshape(-1, 2))
        if not order.acyclic:
            cycle = find_cycle(order)
            names = " -> ".join(str(i + 1) for i in [*cycle, cycle[0]])
            self.complain(jobs[cycle[0]].at, f"jobs wait for each other: {names}")
        return list(found)

    def requests(self, jobs: Sequence[_Job], resources: int) -> tuple[str, ...]:
        """The table of durations and requests, put into ``jobs``; the names of the resources."""
        heading, rows = self.table(_REQUESTS)
        self.settle()
        assert heading is not None
        names = self.resources(heading, 3, resources)
        at = -1
        for row in rows:
            words = row.words
            if len(words) == resources + 3:  # the first mode of the next job
                if 0 <= at < len(jobs) and len(jobs[at].rows) < jobs[at].modes:
                    self.complain(words[0], f"job {at + 1} has {len(jobs[at].rows)} of its {jobs[at].modes} modes")
                at += 1
                if at == len(jobs):
                    self.complain(words[0], f"a job too many: there are {len(jobs)} in {_PRECEDENCE}")
                    break
                self.number(words[0], "the job number", at + 1, at + 1)
                words = words[1:]
            elif len(words) != resources + 2 or at < 0:
                needed = f"job number (in its first mode), mode, duration and {resources} requests"
                self.complain(words[0], f"needs {needed}; found {len(words)} numbers")
                continue
            elif len(jobs[at].rows) == jobs[at].modes:
                needed = f"job number, mode, duration and {resources} requests"
                self.complain(words[0], f"job {at + 1} has its {jobs[at].modes} modes: needs {needed}")
                continue
            self.number(words[0], "the mode", len(jobs[at].rows) + 1, len(jobs[at].rows) + 1)
            duration = self.number(words[1], "the duration")
            uses = tuple(self.number(w, f"the request of {n}") for w, n in zip(words[2:], names, strict=True))
            jobs[at].rows.append((duration, uses))
        self.settle()
        last = rows[-1].line if rows else heading.line
        if at + 1 < len(jobs):
            self.complain(last, f"{at + 1} jobs in {_REQUESTS}, {len(jobs)} in {_PRECEDENCE}")
        elif len(jobs[at].rows) < jobs[at].modes:
            self.complain(last, f"job {at + 1} has {len(jobs[at].rows)} of its {jobs[at].modes} modes")
        return names

    def resources(self, heading: _Row, skip: int, count: int) -> tuple[str, ...]:
        """Names of the resources in a heading: a letter and a number each, with or without a blank."""
        text = " ".join(word.text for word in heading.words[skip:])
        names = tuple(re.sub(r"\s", "", name) for name in re.findall(r"[A-Z]+\s*\d+", text))
        if len(names) != count or len(set(names)) != count:
            shown = ", ".join(names) or "none"
            self.complain(heading.words[0], f"the columns name the resources {shown}; the head says {count}")
        self.settle()
        return names

    def capacities(self, names: tuple[str, ...]) -> list[tuple[int, _Word]]:
        """How much there is of each resource, and where it stands."""
        heading, rows = self.table(_CAPACITIES)
        self.settle()
        assert heading is not None
        if self.resources(heading, 0, len(names)) != names:
            self.complain(heading.words[0], f"needs the resources in the order {', '.join(names)}")
        if len(rows) != 1 or len(rows[0].words) != len(names):
            at = rows[0].words[0] if rows else heading.words[0]
            self.complain(at, f"needs one line of {len(names)} amounts")
        self.settle()
        return [(self.number(w, f"the amount of {n}"), w) for w, n in zip(rows[0].words, names, strict=True)]

    def budgets(self, jobs: Sequence[_Job], names: tuple[str, ...], amounts: list[tuple[int, _Word]], at: int) -> None:
        """Refuse the resources from index ``at`` on that some choice of modes exceeds."""
        for r in range(at, len(names)):
            most = sum(max(uses[r] for _, uses in job.rows) for job in jobs)
            amount, word = amounts[r]
            if most > amount:
                message = f"the modes may use up {most} of nonrenewable {names[r]}, allowed: {amount}"
                self.complain(word, f"{message}; {_USED_UP}, unless there is enough for every choice of modes")

    def problem(self) -> Problem:
        """All of it."""
        count, renewable, nonrenewable = self.scope()
        resources = renewable + nonrenewable
        jobs = self.jobs(count)
        self.settle()
        edges = self.edges(jobs)
        names = self.requests(jobs, resources)
        amounts = self.capacities(names) if resources else []
        self.settle()
        self.budgets(jobs, names, amounts, renewable)
        for job in jobs:
            job.rows = [(duration, uses[:renewable]) for duration, uses in job.rows]
        names = names[:renewable]
        total = sum(max(duration for duration, _ in job.rows) for job in jobs)
        if total > MAX_TIME:
            self.complain(1, f"durations sum to {total}, more than {MAX_TIME}")
        self.settle()
        keys: dict[tuple[tuple[int, tuple[int, ...]], ...], int] = {}
        mode_set = [keys.setdefault(tuple(job.rows), len(keys)) for job in jobs]
        return Problem(
            resources=names,
            capacity=np.array([amount for amount, _ in amounts[:renewable]], dtype=np.int64),
            names=tuple(str(i + 1) for i in range(len(jobs))),
            mode_sets=tuple(
                ModeSet(
                    np.array([d for d, _ in rows], dtype=np.int64),
                    np.array([u for _, u in rows], dtype=np.int64).reshape(len(rows), len(names)),
                )
                for rows in keys
            ),
            mode_set=np.array(mode_set, dtype=np.int64),
            edges=np.array(edges, dtype=np.int64).reshape(-1, 2),
        )
