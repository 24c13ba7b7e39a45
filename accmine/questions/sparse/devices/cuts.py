"""Layers of a network over several devices in a row: where to cut, and what each device makes of its part.

Cuts are contiguous in the order of the layers, and only where every edge goes forward. Images pass from device to
device, so the slowest device sets the rate, or a link: the words of an image that pass it, those of edges to later
devices included, each layer's once. The loss is shared by all devices, all other budgets are of each.

Of a cut no design is faster than the fastest of each part with the whole loss, and parts of a part are at least as
fast: so most cuts are left out without being looked at. For the others the least losses of each part at one interval
after the other are found, and what is taken of them is a stage selection (``choice``): once over designs that are
known, once over points that none is below, until both are as fast. Adapters between layers on different devices belong
to the links and are not counted; neither is memory for what waits for a later device.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import combinations, pairwise
from math import inf, lcm

from accmine.errors import InputError
from accmine.ports import Stop
from accmine.problems.sparse_dataflow import Problem, Solution, bound
from accmine.questions.sparse.buys import asked
from accmine.questions.sparse.devices.choice import chosen
from accmine.questions.sparse.devices.front import Front, Point
from accmine.questions.sparse.devices.record import Placed, Site, Spread
from accmine.record import Record
from accmine.sparse.cuts import places_to_cut

__all__ = ["part_of", "spread"]

_SHARE, _QUICK = 0.25, 0.1
"""Of the time left that one question may take, and one of the first."""

_DIVE = 0.5
"""Of the time, for a good cut, before all are looked at."""

_TIMES = 3
"""Times that parts of a cut exchange what they need of the loss."""

Cut = tuple[int, ...]
"""First layer of each device, and the number of layers."""


def spread(
    problem: Problem,
    sites: Sequence[Site],
    links: Sequence[Fraction | int | None] = (),
    *,
    stop: Stop = Stop(),  # noqa: B008 - frozen
    seed: int = 0,
    hint: Sequence[Placed] = (),
    told: Callable[[float, float], None] = lambda seconds, bound_s: None,
) -> Spread:
    """Where to cut a network for devices in a row, and the design of each part.

    Ctrl-C ends it with what is known.

    Parameters
    ----------
    problem
        Of all layers; of its budget only the loss counts.
    links
        Words per cycle of the device before it that each link takes; ``None``: any number. Default: that for all.
    stop
        With a gap, an answer as near to the bound is good enough.
    hint
        An answer of an earlier call to the same question, which this one is not worse than.
    told
        Called with the seconds between two images, and what no answer is below, as they move.

    Raises
    ------
    InputError
        For fewer layers, or places to cut, than devices; a link without words; too many cuts; a turned problem.
    """
    rates = tuple(links) or (None,) * (len(sites) - 1)
    if problem.least is not None:
        raise InputError("of a problem that minimises the interval only", field="least")
    if not sites:
        raise InputError("at least one device is needed", field="devices")
    if len(rates) != len(sites) - 1:
        raise InputError(f"{len(rates)} links for {len(sites)} devices; needed: {len(sites) - 1}", field="links")
    if wrong := [rate for rate in rates if rate is not None and rate <= 0]:
        raise InputError(f"{wrong[0]} words per cycle are not allowed; more than 0", field="links")
    places = places_to_cut(len(problem.layers), problem.edges, len(sites))
    return _Search(problem, sites, rates, places, stop, seed, told).run(hint)


def part_of(problem: Problem, site: Site, first: int, after: int) -> Problem:
    """The layers from ``first`` to the one before ``after``, with the budgets of a device and the loss of all."""
    edges = tuple((a - first, b - first) for a, b in problem.edges if first <= a < after and first <= b < after)
    budget = replace(site.budget, loss=problem.budget.loss)
    return replace(problem, layers=problem.layers[first:after], edges=edges, budget=budget)


class _Search:
    """One search over all cuts; times are in ticks, of which a cycle of each device has a whole number.

    ``left``: ticks that no answer is below with a cut that is looked at no more.
    """

    def __init__(
        self,
        problem: Problem,
        sites: Sequence[Site],
        rates: Sequence[Fraction | int | None],
        places: Sequence[int],
        stop: Stop,
        seed: int,
        told: Callable[[float, float], None],
    ) -> None:
        self.problem, self.sites, self.rates = problem, sites, rates
        self.stop, self.clock, self.seed, self.told = stop, stop.clock(), seed, told
        clocks = [Fraction(site.frequency_hz) for site in sites]
        self.hz = Fraction(lcm(*(own.numerator for own in clocks)))  # a whole number of ticks for every clock
        self.ticks = [int(self.hz / own) for own in clocks]
        self.cuts: list[Cut] = [(0, *own, len(problem.layers)) for own in combinations(places, len(sites) - 1)]
        self.fronts: dict[tuple[int, int, int], Front] = {}
        self.least = [min(level.loss for level in layer.levels) for layer in problem.layers]
        self.alone = [
            [bound(part_of(problem, site, i, i + 1))[0] or 0 for i in range(len(problem.layers))] for site in sites
        ]
        self.bounds: dict[Cut, float] = {}
        self.best, self.left = inf, inf
        self.answer: tuple[Placed, ...] = ()
        self.heap: list[tuple[float, float, Cut]] = []
        self.looked: set[Cut] = set()

    def run(self, hint: Sequence[Placed]) -> Spread:
        """Cuts by what they are not below, until the best answer is not above any that is left."""
        interrupted = False
        self.heap = [(self._lower(cut), self._load(cut), cut) for cut in self.cuts]
        heapq.heapify(self.heap)
        try:
            if hint:
                self._hinted(hint)
            self._dive()
            self._search()
        except KeyboardInterrupt:
            interrupted = True
        low = min([self.left, self.best, *(max(known, self._lower(cut)) for known, _, cut in self.heap)])
        exact, bound_s = (None if ticks == inf else Fraction(int(ticks)) / self.hz for ticks in (self.best, low))
        return Spread(self.answer, exact, bound_s, len(self.cuts), len(self.looked), interrupted)

    def _hinted(self, hint: Sequence[Placed]) -> None:
        """Begin with the designs of an answer."""
        cut = (*(own.first for own in hint), len(self.problem.layers))
        fronts = [self._front(*own) for own in self._parts(cut)]
        for front, own in zip(fronts, hint, strict=True):
            front.keep(own.solution)
        self._taken(cut, fronts)

    def _dive(self) -> None:
        """An answer first: it tells which cuts need no look.

        The fastest designs of a cut bound those to its left or to its right: the one with the least bound is found by
        halves of those that may be below. Its parts share the loss then.
        """
        half, cut = self.clock.part(_DIVE), min(self.heap, key=lambda own: own[1])[2]
        low = inf
        for _ in range(2 * len(self.cuts).bit_length()):
            fronts = [self._front(*own) for own in self._parts(cut)]
            for own in fronts:
                if not own.settled and not half.over():
                    own.look_for_fastest(lambda problem: self._asked(problem, _QUICK))
            self.looked.add(cut)
            self._taken(cut, fronts)
            if self.best == inf and len(self.looked) == 1:
                self._shared(cut, fronts)
            self._tell()
            low = min(low, self._lower(cut))
            may = [own for own in self.cuts if own not in self.looked and self._lower(own) < min(low, self.best)]
            if not may or half.over():
                break
            cut = may[len(may) // 2]
        cut = min(self.looked, key=lambda own: (self._lower(own), self._load(own)))
        while not self._enough(self._lower(cut)) and not half.over() and self._looked_at(cut):
            self._tell()

    def _shared(self, cut: Cut, fronts: list[Front]) -> None:
        """A first answer where the fastest designs lose too much together: each gets as much of what can be lost."""
        spare = (self.problem.budget.loss or 0) - sum(own.least for own in fronts)
        for own in fronts if spare >= 0 else []:
            own.look_with(own.least + spare // len(fronts), lambda problem: self._asked(problem, _QUICK))
        self._taken(cut, fronts)

    def _search(self) -> None:
        """The cuts that are left, the least bound first; none leaves the heap before its bound counts."""
        while self.heap:
            known, load, cut = self.heap[0]
            lower = self._lower(cut)
            if lower > known:
                heapq.heapreplace(self.heap, (lower, load, cut))
                continue
            if self._enough(lower) or self.clock.over():
                break
            self._tell()
            if not self._looked_at(cut):
                self.left = min(self.left, self._lower(cut))
                heapq.heappop(self.heap)

    def _enough(self, lower: float) -> bool:
        """Whether the best answer is as near to a bound as is asked for."""
        return lower >= (self.best if self.best == inf else self.best * (1 - Fraction(self.stop.gap)))

    def _tell(self) -> None:
        low = min(self.left, self.best, self.heap[0][0])
        self.told(float(self.best / self.hz), float(low / self.hz))

    def _parts(self, cut: Cut) -> Iterator[tuple[int, int, int]]:
        """(device, first layer, layer after the last) of each part."""
        for s, (first, after) in enumerate(pairwise(cut)):
            yield s, first, after

    def _front(self, s: int, first: int, after: int) -> Front:
        key = s, first, after
        if key not in self.fronts:
            own = part_of(self.problem, self.sites[s], first, after)
            fastest = max(self.alone[s][first:after]) * self.ticks[s]
            self.fronts[key] = Front(own, self.ticks[s], fastest, sum(self.least[first:after]))
        return self.fronts[key]

    def _lower(self, cut: Cut) -> float:
        """Ticks that no answer with a cut is below: of parts, of parts of them, and of links."""
        found: float = max([self.bounds.get(cut, 0), *self._links(cut)])
        for s, first, after in self._parts(cut):
            found = max(found, max(self.alone[s][first:after]) * self.ticks[s])
            for (t, i, j), own in self.fronts.items():
                if t == s and first <= i and j <= after:
                    found = max(found, inf if own.impossible else own.fastest)
        return found

    def _load(self, cut: Cut) -> float:
        """Multiply-accumulates per DSP of the part that has most: of cuts that may be as good the even ones first."""
        found = []
        for s, first, after in self._parts(cut):
            macs = sum(layer.macs for layer in self.problem.layers[first:after])
            found.append(macs / max(1, self.sites[s].budget.dsp or 1))
        return max(found)

    def _words(self, place: int) -> int:
        """Words of an image that pass a place: what a layer gives passes it once, whoever takes it there or later."""
        sources = {a for a, b in self.problem.edges if a < place <= b}
        return sum(self.problem.layers[a].words[1] for a in sources)

    def _links(self, cut: Cut) -> list[int]:
        """Ticks of the words of an image on each link."""
        rows = zip(cut[1:-1], self.rates, self.ticks, strict=False)
        return [0 if rate is None else -(-self._words(place) // Fraction(rate)) * own for place, rate, own in rows]

    def _looked_at(self, cut: Cut) -> bool:
        """One step further with a cut; whether more can be done."""
        self.looked.add(cut)
        fronts = [self._front(*own) for own in self._parts(cut)]
        unsettled = [own for own in fronts if not own.settled]
        if unsettled:
            unsettled[0].look_for_fastest(self._asked)
            return True
        self._taken(cut, fronts)
        found = chosen(*self._case(cut, [own.corners() for own in fronts]))
        if found is not None and found[0] < self.best and cut not in self.bounds:
            self._balanced(cut, fronts, found[0])
        if self.best == inf:  # perhaps there is none: the least losses tell, and are an answer if they fit
            for own in fronts:
                own.look_for_least(self._asked)
            self._taken(cut, fronts)
        found = chosen(*self._case(cut, [own.corners() for own in fronts]))
        low: float = inf if found is None else found[0]
        before = self.bounds.get(cut, 0)
        self.bounds[cut] = max(before, low)
        if low >= self.best:
            return False
        high = self.best if self.best < inf else 4 * low
        at = int(low) if low > before else int(low + high) // 2  # first what may be the best, then by halves
        for own in fronts:
            own.look_within(at, self._asked)
        self._taken(cut, fronts)
        again = chosen(*self._case(cut, [own.corners() for own in fronts]))
        moved = again is None or again[0] > low or self.best <= at
        if again is not None:
            self.bounds[cut] = max(self.bounds[cut], again[0])
        return moved

    def _balanced(self, cut: Cut, fronts: list[Front], low: int) -> None:
        """A first answer: the slowest part gets what the others do not need of the loss to be as fast."""
        most, slowest, at = self.problem.budget.loss, max(fronts, key=lambda own: own.fastest), low
        for _ in range(_TIMES):
            if most is None or self.clock.over():
                return
            spare = most
            for own in fronts:
                if own is not slowest:
                    own.look_within(at, self._asked)
                    spare -= min([point.loss for point in own.designs if point.ticks <= at], default=most + 1)
            if spare < slowest.least:
                at += at // 2
                continue
            slowest.look_with(spare, self._asked)
            self._taken(cut, fronts)
            reached = min([point.ticks for point in slowest.designs if point.loss <= spare], default=at)
            if reached <= at:
                return
            at = reached

    def _case(self, cut: Cut, points: list[list[Point]]) -> tuple[list[str], list[list[Point]], list[int], int | None]:
        return [site.name for site in self.sites], points, self._links(cut), self.problem.budget.loss

    def _taken(self, cut: Cut, fronts: Sequence[Front]) -> None:
        """The best of the designs that are known as an answer."""
        found = chosen(*self._case(cut, [own.designs for own in fronts]))
        if found is None or found[0] >= self.best:
            return
        rows = []
        for (s, first, after), front, point in zip(self._parts(cut), fronts, found[1], strict=True):
            assert point.solution is not None
            words = self._words(after) if after < len(self.problem.layers) else 0
            own = point.ticks // front.ticks
            rows.append(
                Placed(self.sites[s].name, first, after - 1, front.problem, point.solution, own, point.loss, words)
            )
        self.best, self.answer = found[0], tuple(rows)

    def _asked(self, problem: Problem, share: float = _SHARE) -> Record[Solution]:
        seconds = self.clock.part(share).seconds()
        return asked(problem, Stop(seconds, self.stop.work, workers=self.stop.workers), self.seed)
