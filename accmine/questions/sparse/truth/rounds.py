"""What a loop over the true loss came to: each round with the proxy and the truth side by side, and what is proven."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from accmine.problems.sparse_dataflow import Problem, Solution, solution_to_json
from accmine.questions.sparse.truth.cuts import cut_of, is_cut, levels_of
from accmine.sparse.layer import POINT

__all__ = ["End", "Outcome", "Round"]


class End(StrEnum):
    """Why a loop ended."""

    PROVED = "proved"
    """A design holds, and none that may hold is faster."""
    HELD = "held"
    """A design holds, and no faster one was asked for."""
    ROUNDS = "rounds"
    """No rounds are left."""
    TIME = "time"
    """The solver found no further design in its time."""
    NOTHING = "nothing"
    """No design holds."""
    FAILED = "failed"
    """The callback failed."""
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Round:
    """A design that was evaluated.

    Attributes
    ----------
    levels
        Names, one for each layer.
    interval
        In cycles.
    proxy_loss, corrected_loss
        In points: by the losses that were given, and by those that this design was found with.
    allowed
        Points that the corrected losses were allowed; ``None``: any.
    true_loss, accuracy
        In points, as measured; percent, where the callback returns it.
    others
        Further numbers of the callback.
    holds
        Whether the true loss is within its budget.
    solves, solve_s, evaluate_s
        Problems solved for it, and seconds.
    """

    number: int
    levels: tuple[str, ...]
    solution: Solution
    interval: int
    proxy_loss: float
    corrected_loss: float
    allowed: float | None
    true_loss: float
    accuracy: float | None
    others: tuple[tuple[str, float], ...]
    holds: bool
    solves: int
    solve_s: float
    evaluate_s: float

    def to_json(self, problem: Problem) -> dict[str, Any]:
        """Plain JSON values."""
        names = (layer.name for layer in problem.layers)
        return {
            "number": self.number,
            "levels": dict(zip(names, self.levels, strict=True)),
            "interval": self.interval,
            "proxy_loss": self.proxy_loss,
            "corrected_loss": self.corrected_loss,
            "allowed": self.allowed,
            "true_loss": self.true_loss,
            "accuracy": self.accuracy,
            **({"others": dict(self.others)} if self.others else {}),
            "holds": self.holds,
            "solves": self.solves,
            "solve_s": round(self.solve_s, 6),
            "evaluate_s": round(self.evaluate_s, 6),
            "solution": solution_to_json(problem, self.solution),
        }


@dataclass(frozen=True)
class Outcome:
    """What a loop came to.

    Attributes
    ----------
    problem
        With the losses that were given.
    bound
        No design that truly holds has a shorter interval: it is that of the fastest one which is not known to lose too
        much, whatever a loss model says of it. ``None``: not known, or no design holds.
    monotone
        Whether networks are taken to lose no less where every layer is at least as sparse.
    sure
        The bound without that assumption: only designs that were evaluated are known to lose too much.
    """

    problem: Problem
    rounds: tuple[Round, ...]
    end: End
    bound: int | None
    monotone: bool
    sure: int | None = None

    @property
    def best(self) -> Round | None:
        """The fastest round that holds."""
        return min((own for own in self.rounds if own.holds), key=lambda own: (own.interval, own.number), default=None)

    @property
    def assumes(self) -> bool:
        """Whether the bound, and that nothing holds, rest on the assumption that losses are monotone."""
        return self.monotone and not all(own.holds for own in self.rounds)

    @property
    def contradictions(self) -> tuple[tuple[int, int], ...]:
        """Rounds (i, j) where j is at least as sparse in every layer, and yet lost less than i."""
        ups = [cut_of(self.problem, levels_of(own.solution), monotone=True) for own in self.rounds]
        return tuple(
            (own.number, other.number)
            for own, up in zip(self.rounds, ups, strict=True)
            for other in self.rounds
            if is_cut(levels_of(other.solution), [up]) and other.true_loss < own.true_loss - 1 / POINT
        )

    def claims(self) -> tuple[str, ...]:
        """What is known at the end, what is proven, and what is not, in sentences."""
        limit, best = (self.problem.budget.loss or 0) / POINT, self.best
        assumed = ""
        if self.assumes:
            assumed = " if a network loses no less where every layer is at least as sparse, which is assumed"
        if self.assumes and self.contradictions:
            i, j = self.contradictions[0]
            assumed += f", though round {j} is sparser than round {i} and lost less"
        found = [_ENDS[self.end]]
        if self.end is End.NOTHING and not self.rounds:
            found.append("Proven: no design fits the device, whatever it loses.")
        elif self.end is End.NOTHING:
            found.append(f"Proven{assumed}: no levels lose at most {limit:.6g} points.")
        elif best is None:
            found.append(f"Not proven: that no levels lose at most {limit:.6g} points.")
        else:
            found.append(
                f"Measured: the design of round {best.number} loses {best.true_loss:.6g} points of at most {limit:.6g} "
                f"(by the proxy {best.proxy_loss:.6g}), at {best.interval} cycles."
            )
        if self.bound is not None and best is not None and self.bound >= best.interval:
            found.append(f"Proven{assumed}: no design that truly holds has less than {best.interval} cycles.")
        elif self.bound is not None:
            found.append(f"Proven{assumed}: no design that truly holds has less than {self.bound} cycles.")
            if best is not None:
                found.append(f"Not proven: that none has less than {best.interval} cycles. {_PROXY}")
        if self.assumes and self.sure is not None:
            found.append(f"Proven without that: no design that truly holds has less than {self.sure} cycles.")
        return tuple(found)

    def table(self) -> tuple[tuple[str, ...], ...]:
        """Names of columns, and a row for each round."""
        names = ["round", "cycles", "proxy loss", "corrected", "true loss", "holds", "solves", "solve s", "evaluate s"]
        percent = any(own.accuracy is not None for own in self.rounds)
        rows: list[tuple[str, ...]] = [(*names[:5], *(["accuracy %"] if percent else []), *names[5:])]
        for own in self.rounds:
            losses = (f"{loss:.3f}" for loss in (own.proxy_loss, own.corrected_loss, own.true_loss))
            seconds = (f"{own.solve_s:.2f}", f"{own.evaluate_s:.2f}")
            accuracy = [] if own.accuracy is None else [f"{own.accuracy:.2f}"]
            holds = "yes" if own.holds else "no"
            rows.append((str(own.number), str(own.interval), *losses, *accuracy, holds, str(own.solves), *seconds))
        return tuple(rows)

    def lines(self) -> tuple[str, ...]:
        """The table with aligned columns, and the claims below it."""
        rows = self.table()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        aligned = ("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
        return (*aligned, *self.claims())

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        best = self.best
        return {
            "end": self.end.value,
            "loss_budget": (self.problem.budget.loss or 0) / POINT,
            "best_round": None if best is None else best.number,
            "interval": None if best is None else best.interval,
            "bound": self.bound,
            "bound_without_assumption": self.sure,
            "assumes_monotone_loss": self.assumes,
            "contradictions": [list(pair) for pair in self.contradictions],
            "claims": list(self.claims()),
            "rounds": [own.to_json(self.problem) for own in self.rounds],
        }


_PROXY = "A design that is optimal by a proxy, corrected or not, is no proof of the true optimum."

_ENDS = {
    End.PROVED: "Ended: a design holds, and none that may hold is faster.",
    End.HELD: "Ended: a design holds; a faster one was not asked for.",
    End.ROUNDS: "Ended: the rounds are used up.",
    End.TIME: "Ended: no further design was found in the time of a round.",
    End.NOTHING: "Ended: nothing holds.",
    End.FAILED: "Ended: the callback failed.",
    End.INTERRUPTED: "Ended: interrupted.",
}
