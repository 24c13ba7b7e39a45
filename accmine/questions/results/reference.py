"""What columns and keys of results mean, from the code that writes them: ``accmine results --keys``."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from itertools import pairwise
from typing import Any, get_args, get_origin, get_type_hints

from accmine.questions.results.table import RESULT_COLUMNS
from accmine.questions.run.placement.record import PlacementOutcome
from accmine.questions.run.record import Outcome
from accmine.questions.run.row import FORMAT
from accmine.questions.run.several.front_record import FrontOutcome
from accmine.questions.sparse.study.record import SparseOutcome
from accmine.questions.sparse.study.several.record import SpreadOutcome

__all__ = ["results_reference"]

_WORDS: dict[Any, str] = {str: "text", float: "number", int: "integer", bool: "true or false", type(None): "null"}

_EVERYWHERE = {
    "area_difference_mm2": "Its area less that of the answer.",
    "area_error": "Relative half-width of the technology's band around every area.",
    "area_mm2": "Area in mm²: of all devices in an outcome, of one chip in a design.",
    "assumptions": "Sentences on the execution model that objective and bound share.",
    "batch": "Samples of a step.",
    "busy_s": "Seconds of a step in which it works.",
    "changes": "The way from the baseline to the answer, one step each.",
    "chunks": "Parts of a stage, where the schedule interleaves them.",
    "collectives_s": "Seconds in which devices of a group exchange data.",
    "compute_s": "Seconds of operators.",
    "data": "Replicas.",
    "design": "The design, or its name.",
    "designs": "The designs of the answer, or their names.",
    "device": "Which device it would be.",
    "devices": "The devices that are built so.",
    "expert": "Devices that share the experts of a layer.",
    "feasible_designs": "Designs of the space within the limits.",
    "folder": "Folder of the run.",
    "gradient_s": "Seconds in which replicas add up their gradients.",
    "gradients": "Bytes of gradients.",
    "hbm_bytes": "HBM that it has.",
    "in_flight": "Microbatches whose activations it keeps at once.",
    "layers": "First and last layer.",
    "least_step": "The least that one more core costs of it.",
    "limit": "Its value.",
    "memory_bytes": "HBM that it needs.",
    "method": "How the bound was proved.",
    "microbatch": "Samples that are run together.",
    "microbatches": "Microbatches of a step.",
    "mode": "heterogeneous, homogeneous or common.",
    "name": "Its name.",
    "objective": "What is asked for, as the study says it.",
    "optimizer": "Bytes of the state of the optimiser.",
    "own_samples_per_s": "Of the answer under the same rule, of each workload.",
    "peak_tflops": "Peak rate of the tensor cores in TFLOP/s.",
    "pipeline": "Stages.",
    "placement": "How the workload is spread over the devices.",
    "reason": "Why it loses, in a sentence.",
    "recompute": "none, selective or full.",
    "relative": "Value of the objective; lower is better.",
    "samples_per_s": "Samples per second, of each workload where it is a list.",
    "schedule": "Pipeline schedule.",
    "seconds": "Seconds of each step of the run.",
    "selection_solver": "Who proved it.",
    "sequence_parallel": "Whether activations between tensor-parallel parts are split along the sequence.",
    "status": "optimal or feasible.",
    "step_s": "Seconds of a step.",
    "stop": "proved, finished, time or interrupted.",
    "study": "Name of the study.",
    "tdp_difference_w": "Its TDP less that of the answer.",
    "tdp_error": "As area_error, around every TDP.",
    "tdp_w": "TDP in W, of the same.",
    "tensor": "Devices that share every layer.",
    "trace": "(seconds, value, bound) whenever one of the two moved.",
    "unit": "Unit of the numbers.",
    "update_s": "Seconds of the optimiser.",
    "used": "What the answer uses of it.",
    "value_loss": "By how much its value is worse, relative.",
    "variant": "Whether the answer stays under the other technology, in a sentence.",
    "variants": "Designs and plans of the space.",
    "versions": "Versions of accmine and of everything that decides.",
    "warnings": "Sentences on what to be careful with.",
    "weights": "Bytes of weights.",
    "what": "What is changed.",
    "within_limits": "Whether this step is within the limits of the study.",
    "working": "Bytes that operators need while they run.",
    "workload": "Name of the workload.",
    "yaml": "The design as the text of a file.",
    "zero": "Stage of ZeRO, 0 to 3.",
}
"""What keys mean wherever their record says nothing else."""


def results_reference() -> str:
    """Markdown: columns of ``accmine results``, and keys of ``result.json`` of every kind of study."""
    lines = ["## Columns of `accmine results`", "", "| column | unit | what it holds |", "|---|---|---|"]
    lines += [f"| `{column.name}` | {column.unit} | {column.description} |" for column in RESULT_COLUMNS]
    lines += ["", f"## Keys of `result.json`, format {FORMAT}", ""]
    for kind in _nested(Outcome, PlacementOutcome, FrontOutcome, SparseOutcome, SpreadOutcome):
        lines += [f"### {kind.__name__}", "", _summary(kind), "", "| key | type | what it holds |", "|---|---|---|"]
        described = _described(kind)
        hints = get_type_hints(kind)
        for f in fields(kind):
            words = described.get(f.name) or _EVERYWHERE.get(f.name) or _inner(hints[f.name])
            lines.append(f"| `{f.name}` | {_type(hints[f.name])} | {words} |")
        lines.append("")
    return "\n".join(lines)


def _nested(*kinds: type[Any]) -> Iterator[type[Any]]:
    """The records of ``kinds`` and of everything in them, each once."""
    seen: dict[type[Any], None] = {}
    left = list(kinds)
    while left:
        kind = left.pop(0)
        if kind not in seen:
            seen[kind] = None
            left += [inner for hint in get_type_hints(kind).values() for inner in _records(hint)]
    yield from seen


def _records(hint: Any) -> Iterator[type[Any]]:
    if isinstance(hint, type) and is_dataclass(hint):
        yield hint
    for inner in get_args(hint):
        yield from _records(inner)


def _type(hint: Any) -> str:
    inner = [part for part in get_args(hint) if part is not Ellipsis]
    origin = get_origin(hint)
    if origin is tuple:
        return f"list of {' / '.join(dict.fromkeys(_type(part) for part in inner))}"
    if origin is dict:
        return f"object of {_type(inner[1])}"
    if inner:
        return " or ".join(_type(part) for part in inner)
    if isinstance(hint, type) and is_dataclass(hint):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    return _WORDS.get(hint, str(hint))


def _summary(kind: type[Any]) -> str:
    return inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].replace("\n", " ").replace("``", "`")


def _inner(hint: Any) -> str:
    """What the record is that a key holds."""
    return " ".join(_summary(kind) for kind in _records(hint))


def _described(kind: type[Any]) -> dict[str, str]:
    """Field -> its words, of the docstring's attributes and of the texts below fields."""
    found: dict[str, str] = {}
    _, _, attributes = inspect.cleandoc(kind.__doc__ or "").partition("Attributes\n----------\n")
    for names, text in re.findall(r"^(\w[\w, ]*)\n((?:    .*\n?)+)", attributes, flags=re.MULTILINE):
        found |= dict.fromkeys(names.split(", "), " ".join(text.split()))
    (tree,) = ast.parse(inspect.cleandoc("\n" + inspect.getsource(kind))).body
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    for field, text in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            words = text.value.value if isinstance(text.value, ast.Constant) else ""
            found[field.target.id] = " ".join(str(words).split())
    return {name: text.replace("``", "`").replace("|", "\\|") for name, text in found.items()}
