"""A sweep: its points run side by side, each beginning with what others found.

Of those that share graphs the one with the loosest limits has the whole budget; its designs, costs and bound serve the
others, which take a share of it. Those go from tight limits to loose ones, so an answer is there when a looser point
begins; what a later point finds, and every bound, is handed on when all are done (``settle``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

from accmine.errors import AccmineError, InputError, WorkersGoneError
from accmine.questions.sweep.executors import Wide
from accmine.questions.sweep.folder import SweepFolder, finished, open_sweep, patience_of
from accmine.questions.sweep.lock import claimed
from accmine.questions.sweep.order import Asked, Points, complaint
from accmine.questions.sweep.points import Spec, measure_point, point_spec, refused
from accmine.questions.sweep.record import FAILED, PointRecord, SweepResult
from accmine.questions.sweep.settle import donors, tightened
from accmine.questions.sweep.shards import Shard
from accmine.report import Watch, from_json
from accmine.result import Status
from accmine.study import LoadedSweep
from accmine.workers import workers

__all__ = ["run_sweep", "workers_of"]

FIRST = 4
"""Designs of points with another objective or model that a point begins with."""

GROUPS = 50
"""Kinds of points whose designs are looked at for that."""

HELD = 256
"""Points that wait for the first one with their graphs while others are looked for."""

SETTLED = 0.2
"""Of the share of a point: for one that the answer of a looser point fits, whose bound holds for it as well."""

ROUNDS = 5
"""Times that answers are handed on: an answer seldom goes farther than to the points it fits at once."""

Told = Callable[[PointRecord], None]


def workers_of(loaded: LoadedSweep) -> int:
    """Processes that a sweep may use in all: ``budget.workers`` of its document."""
    budget = loaded.document.data.get("budget")
    found = budget.get("workers", 2) if isinstance(budget, Mapping) else 2
    return found if isinstance(found, int) and found > 0 else 1


def run_sweep(
    loaded: LoadedSweep,
    *,
    runs_dir: Path = Path("runs"),
    jobs: int = 1,
    again: bool = False,
    retry: bool = False,
    shard: Shard | None = None,
    merge: bool = False,
    executor: Executor | None = None,
    watch: Watch | None = None,
    on_point: Told | None = None,
) -> SweepResult:
    """Run the points of a sweep that are not finished, and hand on what they found.

    Ctrl-C ends it with what is finished; points under way keep their parts.

    Parameters
    ----------
    jobs
        Points at a time. Each has an equal share of the processes of the study's budget.
    again
        Compute also what is there; ``retry``: only points that failed, or found nothing.
    shard
        Part to run; its points begin with what is kept of others, but nothing is handed on, and there is no table.
    merge
        Run no point, hand on what the shards have found.
    executor
        Runs ``measure_point``, ``jobs`` at a time, or as many as it has ``width``; default: processes of this machine.
    watch, on_point
        Told how far the sweep is, and each point as it is finished.

    Raises
    ------
    InputError
        If there are more jobs than processes, another process runs any of the points, or, to merge, one is missing.
    WorkersGoneError
        If the executor cannot go on; what is finished is kept.
    """
    total, watch = workers_of(loaded), watch or Watch()
    if executor is None and jobs > total:
        message = f"{jobs} points at a time need as many processes; budget.workers is {total}: give more, or fewer jobs"
        raise InputError(message, field="--jobs")
    folder = replace(open_sweep(runs_dir, loaded), say=watch.say)
    jobs = executor.width if isinstance(executor, Wide) else jobs
    sweep = _Sweep(loaded, folder, Path(runs_dir), watch, on_point or (lambda _: None))
    sweep.more = {"again": again, "workers": None if executor is not None else max(1, total // jobs)}
    with claimed(folder.path, shard, watch.say) as sweep.still_ours, suppress(KeyboardInterrupt), ExitStack() as stack:
        folder.begin(loaded, alone=shard is None)
        sweep.pool = cache(lambda: executor or stack.enter_context(workers(jobs, [], apart=True)))
        todo = sweep.open_points(shard, again, retry)
        if merge:
            sweep.refuse_missing(todo)
        sweep.run(jobs, todo)
        if shard is None:
            sweep.settle(jobs)
    result = sweep.result(shard)
    if shard is None:
        folder.finish(result)
    return result


class _Sweep:
    """A sweep that is run: what is finished, by number and by what can be compared."""

    def __init__(self, loaded: LoadedSweep, folder: SweepFolder, runs: Path, watch: Watch, told: Told) -> None:
        self.loaded, self.folder, self.runs, self.watch, self.told = loaded, folder, runs, watch, told
        self.points = Points(loaded)
        self.records: dict[int, PointRecord] = {}
        self.groups: dict[str, dict[int, PointRecord]] = {}
        self.graphs: set[str] = set()
        self.more: dict[str, Any] = {}
        self.pool: Callable[[], Executor | None] = lambda: None  # made when the first point is run
        self.still_ours: Callable[[], None] = lambda: None
        self.began, self.ran, self.left = time.monotonic(), 0, 0

    def open_points(self, shard: Shard | None, again: bool, retry: bool) -> Iterator[int]:
        """Numbers of the points to be run, in their order; what is finished is read."""
        patience, kept = patience_of(self.loaded.document.data), set() if again else set(self.folder.numbers())
        for number in sorted(kept):
            record = self.folder.read(number)
            if record is not None and finished(record, patience, retry):
                self._know(record)
        self.left = self.loaded.count - len(self.records)
        if shard is None and not self.left:
            return
        order: Iterable[int] = self.points.numbers()
        if shard is not None:
            order = [number for number in shard.of(list(order)) if number not in self.records]
            self.left = len(order)
        for number in order:
            if number not in self.records:
                yield number

    def refuse_missing(self, todo: Iterable[int]) -> None:
        """Say which points are missing, and who may be about to run them.

        Raises
        ------
        InputError
            If any is.
        """
        missing = sorted(todo)
        if missing:
            some = ", ".join(map(str, missing[:10])) + (", …" if len(missing) > 10 else "")
            raise InputError(
                f"{len(missing)} of {self.loaded.count} points are not finished: {some}; run the shards that they are "
                f"of again, or the sweep without --merge (--list names the points)",
                str(self.folder.path),
            )

    def _know(self, record: PointRecord) -> None:
        self.records[record.number] = record
        self.groups.setdefault(record.like, {})[record.number] = record
        self.graphs |= {record.graphs} if record.answered else set()

    def _submit(self, spec: Spec) -> Future[Any]:
        pool = self.pool()
        assert pool is not None
        return pool.submit(measure_point, spec)

    def run(self, jobs: int, numbers: Iterator[int]) -> None:
        """Run points; one with new graphs goes alone among its like, as it schedules the baseline of all.

        One that finds nothing in its share of the seconds has the whole budget.
        """
        running: dict[Future[Any], tuple[Asked, Spec]] = {}
        held: list[Asked] = []
        while True:
            while len(running) < jobs and (asked := self._next(numbers, held, running)) is not None:
                spec = self._spec(asked)
                running[self._submit(spec)] = asked, spec
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                asked, spec = running.pop(future)
                record = self._record(asked, future)
                if record.status == Status.UNKNOWN.value and spec.get("share", 1.0) < 1:
                    spec |= {"share": 1.0, "again": False}
                    running[self._submit(spec)] = asked, spec
                else:
                    self._finished(record)

    def _next(
        self, numbers: Iterator[int], held: list[Asked], running: Mapping[Any, tuple[Asked, Spec]]
    ) -> Asked | None:
        """The next point that may run."""
        busy = {asked.graphs for asked, _ in running.values()} - self.graphs
        for asked in held:
            if asked.graphs not in busy:
                held.remove(asked)
                return asked
        while len(held) < HELD and (number := next(numbers, None)) is not None:
            try:
                asked = self.points.asked(number)
            except AccmineError as error:
                self._finished(self._failed(number, complaint(error)))
                continue
            if asked.graphs not in busy:
                return asked
            held.append(asked)
        return None

    def _spec(self, asked: Asked) -> Spec:
        """The point with what others found; a deterministic one is first run by itself, with its whole budget."""
        given: dict[str, Any] = {}
        if not asked.study.budget.deterministic:
            best, share = self._best(asked), 1.0
            if asked.graphs in self.graphs:
                share = self.loaded.share
                if best is not None and all(best.limits.get(key, inf) >= own for key, own in asked.limits.items()):
                    share *= SETTLED
            answers = [] if best is None else [str(best.row["folder"])]
            given = {"designs": self._designs(asked), "answers": answers, "share": share}
        own = {"like": asked.like, "graphs": asked.graphs, "limits": asked.limits}
        return point_spec(self.loaded, asked.number, self.folder.path, self.runs, **self.more, **given, **own)

    def _best(self, asked: Asked) -> PointRecord | None:
        """The point whose answer is the best one that meets the limits of another."""
        group = self.groups.get(asked.like, {}) if asked.like else {}
        fitting = [r for r in group.values() if r.fits(asked.limits)]
        best = min(fitting, key=lambda record: (record.best, record.number), default=None)
        return None if best is None or best.number == asked.number else best

    def _designs(self, asked: Asked) -> list[str]:
        """The best designs that meet the limits, of points that cannot be compared: those of the same graphs first."""
        found: dict[str, None] = {}
        near = sorted(list(self.groups)[-GROUPS:], key=lambda like: self._graphs(like) != asked.graphs)
        for like in near:
            fitting = [r for r in self.groups[like].values() if like != asked.like and r.fits(asked.limits)]
            if fitting:
                found |= dict.fromkeys(min(fitting, key=lambda record: (record.best, record.number)).designs)
        return list(found)[:FIRST]

    def _graphs(self, like: str) -> str:
        return next(iter(self.groups[like].values())).graphs

    def _record(self, asked: Asked, future: Future[Any]) -> PointRecord:
        """What a point came to; its process may have ended, or its record not been written."""
        error = future.exception()
        if error is None:
            return from_json(PointRecord, future.result())
        if isinstance(error, KeyboardInterrupt | WorkersGoneError):
            raise error
        why = str(error) if isinstance(error, AccmineError | OSError) else f"{type(error).__name__}: {error}"
        failed = self._failed(asked.number, why)
        return replace(failed, like=asked.like, graphs=asked.graphs, limits=asked.limits)

    def _failed(self, number: int, message: str) -> PointRecord:
        """The record of a point that no run has written."""
        values, patience = dict(self.loaded.point(number).values), patience_of(self.loaded.document.data)
        row = refused(self.loaded.name, FAILED, message)
        record = PointRecord(number, values, row, patience=patience)
        with suppress(OSError):  # of a full disk the table still tells
            self.folder.write(record)
        return record

    def _finished(self, record: PointRecord) -> None:
        self.still_ours()
        self._know(record)
        self.ran, self.left = self.ran + 1, self.left - 1
        self.told(record)
        each = (time.monotonic() - self.began) / self.ran
        failed = sum(r.status == FAILED for r in self.records.values()) if len(self.records) < 1000 else 0
        more = f", {failed} failed" if failed else ""
        left = f", about {each * self.left:.0f} s left" if self.left > 0 else ""
        self.watch.step(f"{len(self.records)} of {self.loaded.count} points{more}{left}")

    def settle(self, jobs: int) -> None:
        """Hand on answers to all points they fit, and bounds to all they hold for, until nothing changes."""
        tried: set[tuple[int, int, float]] = set()
        for _ in range(ROUNDS):
            wanted = []
            for group in self.groups.values():
                for record, donor in donors(list(group.values())):
                    if (record.number, donor.number, donor.best) not in tried:
                        tried.add((record.number, donor.number, donor.best))
                        wanted.append((record, donor))
            if not wanted:
                break
            self.watch.step(f"hand on {len(wanted)} answers")
            self._hand_on(jobs, wanted)
        for group in self.groups.values():
            for record in tightened(list(group.values())):
                self.folder.write(record)
                self._know(record)

    def _hand_on(self, jobs: int, wanted: list[tuple[PointRecord, PointRecord]]) -> None:
        """Run points again that the answer of another fits, with what they kept and that answer."""
        queue, running = iter(wanted), dict[Future[Any], PointRecord]()
        while True:
            while len(running) < jobs and (pair := next(queue, None)) is not None:
                record, donor = pair
                asked = self.points.asked(record.number)
                given = {"answers": [str(donor.row["folder"])], "designs": list(donor.designs), "reopen": True}
                own: dict[str, Any] = {"like": asked.like, "graphs": asked.graphs, "limits": asked.limits}
                own["share"] = self.loaded.share * SETTLED  # what it kept had at least as much
                spec = point_spec(self.loaded, record.number, self.folder.path, self.runs, **self.more | given, **own)
                spec |= {"source": str(donor.number), "earlier": str(record.row["folder"]), "again": False}
                running[self._submit(spec)] = record
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                before = running.pop(future)
                asked = self.points.asked(before.number)
                after = self._record(asked, future)
                if after.better(before):
                    self._know(after)
                    self.told(after)
                else:  # it was not one of this point after all
                    self.folder.write(before)

    def result(self, shard: Shard | None = None) -> SweepResult:
        """The table of what is finished."""
        own = list(self.points.numbers()) if shard is None else shard.of(list(self.points.numbers()))
        points = tuple(self.records[number] for number in sorted(own) if number in self.records)
        return SweepResult(self.loaded.name, self.loaded.columns, points, len(own), self.folder.path)
