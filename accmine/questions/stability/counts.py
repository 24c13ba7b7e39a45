"""From settled cases to what ``accmine stability`` reports: shares, winners, and which constants flip the decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import inf, sqrt

import numpy as np

from accmine.hardware.technology import area_mm2, tdp_w
from accmine.questions.stability.cases import Case, World
from accmine.questions.stability.record import ConstantRow, Stability, Winner, rank_correlation

__all__ = ["summary"]


def summary(
    world: World,
    cases: Mapping[int, Case],
    tolerance: float,
    checks: Sequence[tuple[float, float]],
    refined: int,
    interrupted: bool,
) -> Stability:
    """Count what the draws say.

    Parameters
    ----------
    cases
        What is settled: nominal and swings, and as many draws as there are.
    checks
        Regrets as counted, and as scheduled for the draw.
    refined
        Pairs of task and design that have more schedules.
    """
    drawn_cases = [i for i in range(1, 1 + world.draws) if i in cases]
    draws = [cases[i] for i in drawn_cases]
    regrets = [case.regret for case in draws]
    within = sum(regret <= tolerance for regret in regrets)
    count = len(draws)
    share = within / count
    fitting = [case.regret for case in draws if not case.broken]
    broken = Counter(name for case in draws for name in case.broken)
    names = tuple(pool[k].name for pool, k in zip(world.pools, world.chosen, strict=True))
    return Stability(
        study=world.plan.study.name,
        technology=world.plan.technology.name,
        designs=tuple(dict.fromkeys(names)),
        asked=world.draws,
        draws=count,
        seed=world.seed,
        tolerance=tolerance,
        within=within,
        share=share,
        standard_error=sqrt(share * (1 - share) / count),
        interval=_wilson(within, count),
        outside_limits=sum(bool(case.broken) for case in draws),
        outside={name: broken[name] for name in ("area", "tdp", "floor") if broken[name]},
        nothing_fits=sum(case.best == inf for case in draws),
        share_where_it_fits=sum(r <= tolerance for r in fitting) / len(fitting) if fitting else None,
        median_regret=float(np.median(fitting)) if fitting else None,
        worst_regret=max(fitting) if fitting else None,
        nominal_regret=cases[0].regret if cases[0].regret < inf else None,
        winners=_winners(world, draws, tolerance),
        constants=_constants(world, cases, drawn_cases, tolerance),
        pool=tuple(len(pool) for pool in world.pools),
        refined=refined,
        checks=tuple(checks),
        interrupted=interrupted,
    )


def _wilson(within: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, which stays sensible at 0 and 1 (Wilson 1927)."""
    share = within / count
    middle = share + z * z / (2 * count)
    half = z * sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def _winners(world: World, draws: Sequence[Case], tolerance: float) -> tuple[Winner, ...]:
    """Who is best in the draws, most often first; the answer in any case, and with one group who is near most often."""
    wins = Counter(case.winner for case in draws if case.winner)
    near: dict[tuple[int, ...], float] = {}
    if len(world.groups) == 1:
        for i in range(len(world.pools[0])):
            near[(i,)] = sum(case.values[i] <= case.best * (1 + tolerance) for case in draws if case.winner) / len(
                draws
            )
    listed = [key for key, _ in sorted(wins.items(), key=lambda item: (-item[1], item[0]))]
    if near:
        listed.append(max(near, key=lambda key: (near[key], -key[0])))
    found = []
    for key in dict.fromkeys([*listed, world.chosen]):
        designs = [pool[i] for pool, i in zip(world.pools, key, strict=True)]
        technology = world.plan.technology
        found.append(
            Winner(
                designs=tuple(design.name for design in designs),
                chosen=key == world.chosen,
                share=wins[key] / len(draws),
                near=near.get(key),
                area_mm2=tuple(area_mm2(design, technology) for design in designs),
                tdp_w=tuple(tdp_w(design, technology) for design in designs),
            )
        )
    return tuple(found)


def _constants(
    world: World, cases: Mapping[int, Case], draws: Sequence[int], tolerance: float
) -> tuple[ConstantRow, ...]:
    """Every constant with what its swing does and how it goes with the regret, those that flip the decision first."""
    regrets = [cases[i].regret for i in draws]
    rows = []
    for i, constant in enumerate(world.constants):
        ends = [cases[world.end(i, which)] for which in (0, 1)]
        matters = _matters(world, i, cases[0], ends)
        rows.append(
            ConstantRow(
                name=constant.name,
                unit=constant.unit,
                nominal=constant.nominal,
                low=constant.low,
                high=constant.high,
                matters=matters,
                regret=(ends[0].regret, ends[1].regret),
                broken=(ends[0].broken, ends[1].broken),
                instead=(_names(world, ends[0]), _names(world, ends[1])),
                flips=matters and any(end.regret > tolerance for end in ends),
                correlation=rank_correlation(world.rows[list(draws), i].tolist(), regrets) if matters else 0.0,
                source=constant.source,
            )
        )
    rows.sort(key=lambda r: (not r.matters, not r.flips, -max(r.regret), -abs(r.correlation), r.name))
    return tuple(rows)


def _names(world: World, case: Case) -> tuple[str, ...]:
    if not case.winner or case.winner == world.chosen:
        return ()
    return tuple(pool[i].name for pool, i in zip(world.pools, case.winner, strict=True))


def _matters(world: World, index: int, nominal: Case, ends: Sequence[Case]) -> bool:
    """Whether a constant changes anything of the decision: a time, or area or TDP of a design or of the baseline."""
    if world.constants[index].is_timing:
        before = (nominal.value, nominal.best, nominal.values)
        return any((end.value, end.best, end.values) != before for end in ends)
    plan = world.plan
    designs = dict.fromkeys([plan.baseline, *(design for pool in world.pools for design in pool)])
    for which in (0, 1):
        technology = world.technology(world.end(index, which))
        for design in designs:
            costs = [(area_mm2(design, t), tdp_w(design, t)) for t in (technology, plan.technology)]
            if costs[0] != costs[1]:
                return True
    return False
