"""What each term of a predicted step is worth: the mean error without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from accmine.questions.accuracy.score import Score, score
from accmine.questions.accuracy.training.machine import ALL, Terms, machine_of
from accmine.questions.accuracy.training.runs import Run, read_runs
from accmine.questions.accuracy.training.step import predict
from accmine.questions.accuracy.training.suites import SC21, TABLE5
from accmine.report import Section, figures, table, texts

__all__ = ["WITHOUT", "Ablation", "ablation", "ablation_text"]

WITHOUT = {
    "vector": "element-wise kernels, norms, dropout",
    "core": "attention core (scores, softmax, values)",
    "tensor": "collectives of tensor groups",
    "gradients": "sum of gradients among replicas",
    "sustained": "sustained instead of burst rate of products",
    "pipeline": "simulation of the pipeline",
    "bandwidth": "measured instead of nominal bandwidth of softmax, norm, element-wise kernels",
    "apart": "accumulation of gradients apart from the product",
    "tiles": "tiles and waves of products",
    "ends": "embeddings, head and loss",
    "uneven": "end stages longer than the others",
    "update": "optimiser",
    "messages": "messages between stages",
    "host": "host limit",
}
"""Terms, and what is left out without them."""


@dataclass(frozen=True, slots=True)
class Ablation:
    """Scores of the two tables without a term; ``term`` is empty for all terms together."""

    term: str
    sc21: Score
    table5: Score


def ablation(data: Path) -> tuple[Ablation, ...]:
    """The scores with all terms, and without each of them.

    Raises
    ------
    InputError
        If a file of the suite ``training`` is missing or wrong.
    """
    assert set(WITHOUT) == {item.name for item in fields(Terms)}
    tables = [read_runs(data / file) for file in (SC21, TABLE5)]

    def scored(term: str) -> Ablation:
        machine = machine_of(replace(ALL, **{term: False}) if term else ALL)

        def of(runs: Sequence[Run]) -> Score:
            return score([predict(run, machine) for run in runs], [run.seconds for run in runs])

        return Ablation(term, of(tables[0]), of(tables[1]))

    return tuple(scored(term) for term in ("", *WITHOUT))


def ablation_text(found: Sequence[Ablation], width: int | None = None) -> str:
    """A table: mean errors, and their change in points where a term is left out."""
    whole = found[0]
    rows = [("nothing", _percent(whole.sc21.mape), "", _percent(whole.table5.mape), "")]
    for own in found[1:]:
        changes = [_points(new.mape - old.mape) for new, old in ((own.sc21, whole.sc21), (own.table5, whole.table5))]
        rows.append((WITHOUT[own.term], _percent(own.sc21.mape), changes[0], _percent(own.table5.mape), changes[1]))
    columns = (*texts("left out"), *figures("SC'21 Table 1", "points", "recompute Table 5", "points "))
    return table(Section("ablation", "Ablation", columns, tuple(rows)), width)


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"
