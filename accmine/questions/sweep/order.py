"""In which order the points of a sweep are run: those that share graphs one after the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, product
from math import inf

from accmine.errors import AccmineError, InputError
from accmine.plan import KEYS, baseline_costs, limits_of
from accmine.questions.run.beside import LOOSE, likeness
from accmine.study import LoadedStudy, LoadedSweep, Study, read_inputs
from accmine.study.sweep import Option

__all__ = ["Asked", "Points"]

_SEARCHED = ("name", "description", "limits", "device_limits", "search", "budget", "baselines")
"""Keys that decide how a point is searched and how it is limited, but not what a value of it means."""

_LIMITS = {key.partition(".")[0] for key in KEYS}

_MOST_SORTED = 2000
"""Options of limits that are sorted; where there are more, they stay in the order of the document."""


@dataclass(frozen=True)
class Asked:
    """A point that is to be run.

    Attributes
    ----------
    like
        Equal for points whose answers and bounds can be compared, empty where nothing can; ``graphs`` for those that
        share graphs and costs.
    limits
        Key -> limit in mm² or W.
    """

    number: int
    study: Study
    like: str
    graphs: str
    limits: dict[str, float]


class Points:
    """The points of a sweep as they are asked for; their files are read as often as they differ."""

    def __init__(self, loaded: LoadedSweep) -> None:
        self.loaded = loaded
        self._costs: dict[str, tuple[float, ...]] = {}

    def asked(self, number: int) -> Asked:
        """What a point asks for.

        Raises
        ------
        AccmineError
            If its study is wrong.
        """
        loaded = self.loaded.study(self.loaded.point(number))
        study = loaded.study
        like, graphs = (likeness(study, {}, loose) for loose in (_SEARCHED, LOOSE))
        if study.front is not None or study.aggregate == "regret":  # no value, or one relative to what the limits allow
            like = ""
        return Asked(number, study, like, graphs, self._limits(loaded))

    def _limits(self, loaded: LoadedStudy) -> dict[str, float]:
        study = loaded.study
        key = json.dumps([study.baseline, study.technology, study.accelerator.mapping()], default=str)
        if key not in self._costs:
            inputs = read_inputs(loaded)
            self._costs[key] = baseline_costs(inputs.baseline, inputs.technology)
        depth, shared = study.parallel.depth, study.deployment == "time-shared"
        devices = study.devices if study.placed else depth * (1 if shared else len(study.workloads))
        return {limit.key: limit.value for limit in limits_of(study, self._costs[key], devices)}

    @cached_property
    def _ranks(self) -> list[list[int]]:
        """Of each dimension: its options in the order in which they are run."""
        ranks = []
        for at, options in enumerate(self.loaded.dimensions):
            order = list(range(len(options)))
            if all(map(_only_limits, options)) and len(options) <= _MOST_SORTED:
                order.sort(key=[self._tightness(at, index) for index in order].__getitem__)
            ranks.append(order)
        return ranks

    def _tightness(self, at: int, index: int) -> tuple[float, ...]:
        """Limits of an option, for sorting: tight ones first."""
        indices = [0] * len(self.loaded.dimensions)
        indices[at] = index
        try:
            limits = self.asked(self.loaded.number_of(indices)).limits
        except AccmineError:
            return (inf,)
        keys = sorted({key for option in self.loaded.dimensions[at] for key, *_ in option.settings})
        return tuple(limits.get(key, inf) for key in keys)

    def numbers(self) -> Iterator[int]:
        """Numbers of all points in the order in which they are run.

        Of those that are equal but for their limits the loosest comes first, then all from tight to loose: no other
        one comes before one with tighter limits.
        """
        dimensions = self.loaded.dimensions
        limits = [i for i, options in enumerate(dimensions) if all(map(_only_limits, options))]
        others = [i for i in range(len(dimensions)) if i not in limits]
        loosest = tuple(self._ranks[i][-1] for i in limits)
        for choice in product(*(self._ranks[i] for i in others)):
            own = dict(zip(others, choice, strict=True))
            for tried in chain([loosest], product(*(self._ranks[i] for i in limits))):
                indices = own | dict(zip(limits, tried, strict=True))
                if tried is loosest or tried != loosest:
                    yield self.loaded.number_of([indices[i] for i in range(len(dimensions))])


def _only_limits(option: Option) -> bool:
    """Whether an option sets limits and nothing else."""
    return bool(option.settings) and all(key.partition(".")[0] in _LIMITS for key, *_ in option.settings)


def complaint(error: AccmineError) -> str:
    """What is wrong with a point, on one line."""
    rows = error.complaints if isinstance(error, InputError) else (error,)
    return "; ".join(map(str, rows))
