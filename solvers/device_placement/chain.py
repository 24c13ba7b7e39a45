"""Chains of layers, exactly: the least chain bound of every way, and all cuts below the best step.

Ways (degrees, order of ranks, schedule, ZeRO stage, kind of options) come by a cheap bound. The dynamic programme of
``accmine.problems.device_placement.chain_bound`` gives each the least chain bound over all cuts; the step of its plan
is simulated and offered. Where the simulation is longer than the bound, cuts are taken apart from the front: what is
fixed, and the best continuation by the fronts of the programme, bound all cuts that begin alike. The least bound of
what is left, of all ways, bounds every placement; when the best step reaches it, that is proven.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from accmine.errors import InputError
from accmine.problems.device_placement import Pipelining, Problem, Solution, StagePlan, bound
from accmine.problems.device_placement.chain_bound import Front, Rows, best_plan, chain_fronts
from accmine.problems.device_placement.memory import held_microbatches
from accmine.problems.device_placement.numbers import Way, replica_microbatches
from accmine.record import Record
from accmine.result import StopReason
from accmine.system import SCHEDULES, step_time

from .chunks import Chunked
from .phaze_chain import place
from .ways import Kind, Layers, Ways, all_ways

__all__ = ["Chain"]

_METHOD = "chain bounds of all cuts that are left, of all degrees, orders and schedules"
_NOTHING = np.iinfo(np.int64).max  # bound of nothing left
_TURN = 8  # one step in so many is for several chunks on a device
_SAID = 64  # steps of the search between two looks at the clock
_TOGETHER = 64  # cuts that are simulated together
_PHASES = ("forward", "backward", "update", "weight")


@dataclass(frozen=True, eq=False)
class _Setting:
    """A way with its rows and fronts."""

    kinds: tuple[Kind, ...]
    pipelining: Pipelining
    way: Way
    microbatches: int
    rows: list[Rows]
    fronts: list[dict[int, Front]]
    budget: int


@dataclass(frozen=True, slots=True)
class _Beginning:
    """The first stages of cuts.

    Attributes
    ----------
    stages
        (first layer, kind) of each.
    layer
        Behind the last of them.
    arrived, back, peak
        Σ (f + c) of them; the longest way from the first layer behind them to the end of an update of theirs; the
        longest chain among them.
    used
        Devices, where they are counted.
    """

    setting: _Setting
    stages: tuple[tuple[int, int], ...]
    layer: int
    arrived: int
    back: int
    peak: int
    used: int


@dataclass(frozen=True, slots=True)
class _Chunks:
    """The first stages of cuts into several chunks per device, by first layer, and the layer behind them."""

    own: Chunked
    stages: tuple[int, ...]
    layer: int


@dataclass
class _Side:
    """What is still to be looked at, by bound: ways to begin, and beginnings, deeper ones first among equals."""

    ways: Iterator[tuple[int, Ways, int]]
    nearest: tuple[int, Ways, int] | None = None
    heap: list[tuple[int, int, int, _Beginning | _Chunks]] = field(default_factory=list)
    count: int = 0

    def __post_init__(self) -> None:
        self.nearest = next(self.ways, None)

    def push(self, least: int, beginning: _Beginning | _Chunks) -> None:
        self.count += 1
        heapq.heappush(self.heap, (least, -len(beginning.stages), self.count, beginning))


@dataclass
class _Complete:
    """Cuts of one way that are still to be simulated, together, and the least bound of them."""

    setting: _Setting | None = None
    cuts: list[list[tuple[int, int]]] = field(default_factory=list)
    least: int = _NOTHING


class Chain:
    """Branch and bound over ways and cuts of a chain; see the module.

    ``stop.work`` is the number of ways and beginnings looked at.
    """

    name = "chain"

    def search(self, record: Record[Solution]) -> StopReason:
        """Best first, until nothing is left below the best step.

        Raises
        ------
        InputError
            If the layers are no chain.
        """
        problem: Problem = record.problem
        if not problem.chain:
            raise InputError("chain: the layers have no single order (each needs an edge to the next one); take cp-sat")
        if not problem.uniform and any(own.chunks > 1 for own in problem.pipelinings):
            raise InputError("chain: several chunks on a device need uniform stages; take brute-force")
        record.raise_bound(*bound(problem))
        return place(record) if problem.semantics == "phaze" else _Search(record).run()


class _Search:
    def __init__(self, record: Record[Solution]) -> None:
        self.record = record
        self.problem: Problem = record.problem
        self.layers = Layers(self.problem)
        ways = all_ways(self.layers)
        self.plain, self.chunked = (
            _Side(
                heapq.merge(
                    *(_in_order(own) for own in ways if (own.pipelining.chunks > 1) == several),
                    key=lambda entry: entry[0],
                )
            )
            for several in (False, True)
        )
        self.complete = _Complete()
        self._fronts: dict[object, list[dict[int, Front]]] = {}

    def run(self) -> StopReason:
        record = self.record
        while True:
            if self.complete.cuts and self.complete.least < min(self._least(plain=True), self.complete.least + 1):
                self._simulate()
                continue
            plain, chunked = self._least(plain=True), self._least(plain=False)
            least = min(plain, chunked, self.complete.least if self.complete.cuts else _NOTHING)
            if least == _NOTHING or (record.score is not None and least >= record.score):
                if record.best is None:
                    record.no_solution("no way has a cut that fits in memory and fills its schedule")
                else:
                    record.raise_bound(record.score, _METHOD)
                return StopReason.PROVED
            record.work += 1
            if record.work % _SAID == 0 or record.stop.work is not None:
                record.raise_bound(least, _METHOD)
                if (reason := record.over()) is not None:
                    return reason
            # Bounds of several chunks are weak, and best first alone would look at nothing else.
            best = _NOTHING if record.score is None else record.score
            turn = chunked < best and (plain >= best or record.work % _TURN == 0)
            self._step(self.chunked if turn else self.plain)

    def _least(self, plain: bool) -> int:
        side = self.plain if plain else self.chunked
        return min(side.nearest[0] if side.nearest else _NOTHING, side.heap[0][0] if side.heap else _NOTHING)

    def _step(self, side: _Side) -> None:
        """Take apart the best beginning, or begin the best way."""
        if side.heap and (side.nearest is None or side.heap[0][0] <= side.nearest[0]):
            beginning = heapq.heappop(side.heap)[3]
            if isinstance(beginning, _Chunks):
                self._branch_chunks(beginning)
            else:
                self._branch(beginning)
        elif side.nearest is not None:
            own, row = side.nearest[1:]
            side.nearest = next(side.ways, None)
            self._begin(own, row)

    def _begin(self, own: Ways, row: int) -> None:
        """Bound all cuts of a way exactly and offer the cut of this bound."""
        problem, data, pipeline = self.problem, int(own.data[row]), int(own.pipeline[row])
        tensor = own.kinds[0][0] if problem.uniform else max(problem.degrees)
        way = Way(tensor, data, pipeline, own.order, own.zero)
        if not self.layers.fits(own.kinds, own.pipelining, way):
            return
        if own.pipelining.chunks > 1:
            chunked = Chunked.of(self.layers, own.kinds[0], own.pipelining, way)
            self.record.offer(chunked.plan(chunked.balanced(), self.layers.line), doubtful=True)
            self.chunked.push(int(own.bound[row]), _Chunks(chunked, (), 0))
            return
        rows = self.layers.rows(own.kinds, own.pipelining, way)
        microbatches = replica_microbatches(problem, data)
        budget = 0 if problem.uniform else problem.devices // data
        parts = [(r.forward, r.backward, r.update, r.there, r.reach) for r in rows]
        alike = all(np.ndim(r.there) == 1 for r in rows) and self._alike(own.pipelining, pipeline, microbatches)
        content = tuple(np.asarray(part).tobytes() for row in parts for part in row[:4])
        shares = data if own.zero or problem.expert > 1 else 0  # what fits depends on it
        key = own.kinds, own.pipelining, own.zero, microbatches, budget, shares, content
        fronts = self._fronts.setdefault((key, 0 if alike else pipeline), [])
        chain_fronts(rows, pipeline, microbatches, budget=budget, below=self.record.score, fronts=fronts)
        found = best_plan(fronts, pipeline)
        if found is None:
            return
        setting = _Setting(own.kinds, own.pipelining, way, microbatches, rows, fronts, budget)
        least, firsts, chosen = found
        step = self._offer(setting, [list(zip(firsts, chosen, strict=True))])
        if least < step and pipeline > 1:
            self.plain.push(int(least), _Beginning(setting, (), 0, 0, 0, 0, 0))

    def _alike(self, pipelining: Pipelining, pipeline: int, microbatches: int) -> bool:
        """Whether only the position from the end decides what a stage holds, so that pipelines share their fronts."""
        longest = self.layers.count
        return not SCHEDULES[pipelining.schedule].split_backward and all(
            held_microbatches(pipelining, pipeline - r, pipeline, microbatches)
            == held_microbatches(pipelining, longest - r, longest, microbatches)
            for r in range(1, pipeline + 1)
        )

    def _offer(self, setting: _Setting, plans: list[list[tuple[int, int]]]) -> int:
        """Simulate plans of one way, offer the best of them where it is the best of all; its step."""
        split, pipeline = setting.rows[0].weight is not None, setting.way.pipeline
        phases = np.empty((4, pipeline, len(plans)), dtype=np.int64)
        sent = np.empty((pipeline - 1, len(plans)), dtype=np.int64)
        for case, stages in enumerate(plans):
            ends = [*(first for first, _ in stages[1:]), self.layers.count]
            for s, ((first, kind), end) in enumerate(zip(stages, ends, strict=True)):
                rows = setting.rows[kind]
                for phase, name in enumerate(_PHASES if split else _PHASES[:3]):
                    phases[phase, s, case] = rows.of_stages(name)[first, end]
                if s + 1 < pipeline:
                    sent[s, case] = rows.message("there", pipeline - s - 1)[end]
        late = list(phases[3]) if split else None
        forward, backward, update, messages = list(phases[0]), list(phases[1]), list(phases[2]), list(sent)
        schedule, m = setting.pipelining.schedule, setting.microbatches
        steps = step_time(schedule, forward, backward, update, messages, m, weight_s=late)
        best = int(np.argmin(steps))
        step = int(steps[best])
        if self.record.score is None or step < self.record.score:
            stages = plans[best]
            ends = [*(first for first, _ in stages[1:]), self.layers.count]
            placed = tuple(
                StagePlan(tuple(self.layers.line[first:end]), *setting.kinds[kind])
                for (first, kind), end in zip(stages, ends, strict=True)
            )
            way = setting.way
            self.record.offer(Solution(placed, way.data, way.order, setting.pipelining, way.zero))
        return step

    def _simulate(self) -> None:
        """All complete cuts."""
        done, self.complete = self.complete, _Complete()
        if done.setting is not None and done.cuts:
            self._offer(done.setting, done.cuts)

    def _branch(self, beginning: _Beginning) -> None:
        """All next stages of a beginning."""
        setting, r = beginning.setting, beginning.setting.way.pipeline - len(beginning.stages)
        i = beginning.layer
        limit = _NOTHING if self.record.score is None else self.record.score
        for kind, rows in enumerate(setting.rows):
            f, b, u = (rows.of_stages(name)[i] for name in ("forward", "backward", "update"))
            weight, late = (part[i] if np.ndim(part) else 0 for part in rows.weights(r))
            tail = np.maximum(u + late, beginning.back)
            peak = np.maximum(beginning.peak, beginning.arrived + setting.microbatches * (f + b) - late + tail)
            there, back = rows.message("there", max(1, r - 1)), rows.message("back", max(1, r - 1))
            arrived = beginning.arrived + f[:-1] + there
            behind = tail[:-1] + (b - weight)[:-1] + back
            least = np.full(self.layers.count, _NOTHING)
            for used, front in setting.fronts[r - 2].items():
                if beginning.used + rows.width + used <= setting.budget:
                    whole = np.maximum(arrived[:, None] + front.y, arrived[:, None] + front.x + behind[:, None])
                    least = np.minimum(least, whole.min(axis=1))
            least = np.maximum(least, peak[:-1])
            ends = np.arange(self.layers.count)
            fits = (ends > i) & (least < limit)
            if rows.reach is not None:
                fits &= ends <= rows.reach[r - 1][i]
            stages = (*beginning.stages, (i, kind))
            for end in np.flatnonzero(fits).tolist():
                if r > 2:
                    values = int(arrived[end]), int(behind[end]), int(peak[end]), beginning.used + rows.width
                    self.plain.push(int(least[end]), _Beginning(setting, stages, end, *values))
                else:
                    self._last(setting, stages, end, beginning.used + rows.width, int(least[end]))

    def _branch_chunks(self, beginning: _Chunks) -> None:
        own = beginning.own
        for least, firsts, end in own.next_cuts(beginning.stages, beginning.layer):
            if self.record.score is not None and least >= self.record.score:
                continue
            if len(firsts) < own.stages:
                self.chunked.push(least, _Chunks(own, firsts, end))
            else:  # the stash of several chunks is counted along the order, by the check
                self.record.offer(own.plan(firsts, self.layers.line), doubtful=True)

    def _last(self, setting: _Setting, stages: tuple[tuple[int, int], ...], layer: int, used: int, least: int) -> None:
        if self.complete.setting is not setting or len(self.complete.cuts) >= _TOGETHER:
            self._simulate()
            self.complete.setting = setting
        for kind, rows in enumerate(setting.rows):
            fits = rows.reach is None or rows.reach[0][layer] >= self.layers.count
            if fits and used + rows.width <= setting.budget:
                self.complete.cuts.append([*stages, (layer, kind)])
                self.complete.least = min(self.complete.least, least)


def _in_order(own: Ways) -> Iterator[tuple[int, Ways, int]]:
    for row, least in enumerate(own.bound.tolist()):
        yield least, own, row
