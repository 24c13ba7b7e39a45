"""All pairs of a design and a plan of a problem: what is known of plans, and bounds of many pairs at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from accmine.hardware import Design
from accmine.problems.design_placement import Problem
from accmine.problems.design_placement.layer_bounds import SAFE, classes_of
from accmine.problems.design_placement.plan_bounds import Floor, Plans, cheap_bounds, floor_of
from accmine.problems.design_placement.plans import Terms, terms_of
from accmine.problems.design_search.space_bound import Block

from .key import Key

__all__ = ["Space"]

FloatArray = npt.NDArray[np.float64]


class Space:
    """Plans of all variants, and bounds of them on designs.

    Attributes
    ----------
    terms, plans
        Of the variants that fit in some memory, by position among all.
    plan_count
        Plans of all variants.
    classes
        Layer classes of these variants, in their order.
    pairs
        Pairs bounded one by one so far.
    """

    def __init__(self, problem: Problem) -> None:
        self.plan_count = self.pairs = 0
        self.terms: dict[int, Terms] = {}
        self.plans: dict[int, Plans] = {}
        most = max(problem.template.hbm_bytes)
        for v, variant in enumerate(problem.variants):
            if variant.shard.tensor > problem.devices:
                continue
            terms = terms_of(problem, variant)
            plans = terms.plans()
            self.plan_count += len(plans)
            if np.isfinite(terms.fullest(plans, most)).any():  # classes of the others are not costed
                self.terms[v], self.plans[v] = terms, plans
        self.classes = classes_of(problem, list(self.terms))
        self._room: dict[tuple[int, int], tuple[Plans, FloatArray]] = {}
        self._floors: dict[tuple[int, int], Floor] = {}

    def floors_on(self, hbm: int, rows: FloatArray) -> FloatArray:
        """What no step of a variant is below on designs with so much HBM, whatever the plan; (variants, designs)."""
        found = np.empty((len(self.terms), rows.shape[2]))
        for k, (v, at) in enumerate(zip(self.terms, self.classes.at, strict=True)):
            found[k] = self._floor(v, hbm).bounds(rows[list(at)])
        return SAFE * found

    def _floor(self, variant: int, hbm_bytes: int) -> Floor:
        if (variant, hbm_bytes) not in self._floors:
            plans = self.plans[variant]
            fullest = self.terms[variant].fullest(plans, hbm_bytes)
            room = np.flatnonzero(np.isfinite(fullest))
            self._room[variant, hbm_bytes] = plans.take(room), fullest[room][:, None]
            self._floors[variant, hbm_bytes] = floor_of(plans, fullest)
        return self._floors[variant, hbm_bytes]

    def keys(
        self, several: Sequence[Block], rows: Sequence[FloatArray], upper: float, only: set[Design] | None = None
    ) -> list[Key]:
        """Every design of some blocks with every variant that may still win; ``rows`` are bounds of layers by block."""
        found: list[Key] = []
        for hbm in dict.fromkeys(block.types.hbm_bytes for block in several):
            own = [k for k, block in enumerate(several) if block.types.hbm_bytes == hbm]
            designs = [several[k].design(int(flat)) for k in own for flat in np.flatnonzero(several[k].fits)]
            found += self._keys_of(hbm, designs, np.concatenate([rows[k] for k in own], axis=2), upper, only)
        return found

    def _keys_of(
        self, hbm: int, designs: list[Design], rows: FloatArray, upper: float, only: set[Design] | None
    ) -> list[Key]:
        """The same of designs with so much HBM; ``rows`` are bounds of layers, (tasks, 3, designs)."""
        found = []
        least = self.floors_on(hbm, rows)
        wanted = np.array([only is None or design in only for design in designs])
        for k, (v, at) in enumerate(zip(self.terms, self.classes.at, strict=True)):
            chosen = np.flatnonzero((least[k] < upper) & wanted)
            plans, fullest = self._room[v, hbm]
            if not len(chosen) or not len(plans):
                continue
            seconds = rows[list(at)][:, :, chosen]
            bounds = SAFE * cheap_bounds(plans, seconds, fullest)
            self.pairs += bounds.size
            for column in np.flatnonzero(bounds.min(axis=0) < upper).tolist():
                which = np.flatnonzero(bounds[:, column] < upper)
                design = designs[int(chosen[column])]
                found.append(
                    Key(v, design, self.terms[v], seconds[:, :, column], plans.take(which), bounds[which, column])
                )
        return found
