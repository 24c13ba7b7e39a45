"""Constants of configs/kernels/gemmini-like.yaml from 49 of 1,567 FireSim rows, and how much other rows change them.

The rows are every 32nd of all in the order of kind, array and tiles; ``--draws 31`` takes others of that order as well,
each scored on the rest with the closed form. They keep the pull and the scale of the first, or with ``--anew`` choose
their own in cross-validation within their rows.

    python benchmarks/fit_gemmini.py --data DATA [--draws 31] [--anew] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from accmine.cost.kernel.firesim_fit import GRID, Fit, chosen, closed_form, fit, work_of
from accmine.questions.accuracy.gemmini import EVERY, FILES, FROM, GEMMINI, fitted_on, read_layers
from accmine.questions.accuracy.score import Score, score

__all__ = ["Draw", "draw"]


@dataclass(frozen=True)
class Draw:
    """A fit on some rows.

    Attributes
    ----------
    first
        Which of the order is the first; every 32nd after it follows.
    rows
        Numbers of the rows in the table, from 0.
    fit
        Constants, and how they were chosen.
    fitted, held_out
        Scores of the closed form on these rows and on the others.
    """

    first: int
    rows: tuple[int, ...]
    fit: Fit
    fitted: Score
    held_out: Score


def draw(path: Path, first: int, like: Fit | None = None) -> Draw:
    """Fit on every 32nd row of a table of FireSim cycles from one on, and score on the others.

    Pull and scale are those of ``like``, or chosen within the rows.
    """
    table = read_layers(path)
    layers, cycles = [layer for layer, _ in table], np.array([cycles for _, cycles in table])
    rows = fitted_on(layers, first)
    others = np.setdiff1d(np.arange(len(layers)), rows)
    work = work_of(layers)
    if like is None:
        found = chosen([layers[i] for i in rows], cycles[rows].tolist())
    else:
        found = replace(like, constants=fit(work.take(rows), cycles[rows], like.pull, like.scale), errors=())
    modelled = closed_form(found.constants, work)
    scores = [score(modelled[i], cycles[i]) for i in (rows, others)]
    return Draw(first, tuple(rows), found, *scores)


def _said(one: Draw) -> str:
    held = one.held_out
    values = " ".join(f"{name} {value:.4g}" for name, value in one.fit.constants.items())
    return (
        f"from {one.first + 1:2}: held out {held.mape:6.1%} bias {held.bias:+6.1%} Spearman {held.rank:.3f}, "
        f"fitted {one.fitted.mape:6.1%}; pull {one.fit.pull:g} scale {one.fit.scale:g}: {values}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the fit of the description, and those of other draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help=f"folder with {FILES[GEMMINI][0]}")
    parser.add_argument(
        "--draws", type=int, default=0, choices=range(EVERY), metavar="N", help="other draws of rows, at most 31"
    )
    parser.add_argument("--anew", action="store_true", help="choose pull and scale in each of them, 10 s")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    path = given.data / FILES[GEMMINI][0]
    firsts = [FROM, *[(FROM + EVERY * i // (given.draws + 1)) % EVERY for i in range(1, given.draws + 1)]]
    draws: list[Draw] = []
    for first in firsts:
        draws.append(draw(path, first, draws[0].fit if draws and not given.anew else None))
        if first == FROM:
            print("rows:", *draws[0].rows)
            for (pull, scale), error in zip(GRID, draws[0].fit.errors, strict=True):
                print(f"cross-validation within them, pull {pull:g} scale {scale:g}: {error:.2%}")
        print(_said(draws[-1]), flush=True)
    if given.json:
        given.json.write_text(json.dumps([asdict(one) for one in draws], indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
