"""Measured training steps: what was run, on how many devices, and how long a step took."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from accmine.cost import read_lines
from accmine.errors import Complaint, InputError

__all__ = ["Run", "read_runs", "read_table"]


@dataclass(frozen=True, slots=True)
class Run:
    """A training step of a GPT on equal devices, and how long it took.

    Attributes
    ----------
    name
        What the row calls it.
    layers, width, heads, sequence, vocabulary
        Of the model.
    tensor, pipeline, data
        Degrees.
    microbatch, batch
        Sequences of a microbatch and of a step over all replicas.
    recompute
        ``none``, ``selective`` or ``full``.
    sequence_parallel
        Norms, dropout and residuals on 1/tensor of the tokens.
    chunks
        Chunks of layers on each device.
    seconds
        Of a step, measured.
    where
        ``file:line``.
    gradients
        Type in which the stack accumulates and sums gradients.
    """

    name: str
    layers: int
    width: int
    heads: int
    sequence: int
    vocabulary: int
    tensor: int
    pipeline: int
    data: int
    microbatch: int
    batch: int
    recompute: str
    sequence_parallel: bool
    chunks: int
    seconds: float
    where: str
    gradients: str = "fp32"

    @property
    def microbatches(self) -> int:
        """Microbatches of one replica in a step."""
        return self.batch // (self.microbatch * self.data)

    @property
    def devices(self) -> int:
        """All devices."""
        return self.tensor * self.pipeline * self.data

    @property
    def model(self) -> tuple[int, ...]:
        """What makes two runs comparable: layers, width, heads, sequence, batch and devices."""
        return self.layers, self.width, self.heads, self.sequence, self.batch, self.devices


def read_table(path: Path, row: Callable[[Mapping[str, str], str], Run]) -> tuple[Run, ...]:
    """The runs of a table; complaints of all its lines at once.

    Raises
    ------
    InputError
        With file and line of every row that is none.
    """
    found, wrong = [], []
    for line, cells in read_lines(path):
        where = f"{path.name}:{line}"
        try:
            run = row(cells, where)
            _check(run)
            found.append(run)
        except KeyError as error:
            wrong.append(Complaint(where, str(error.args[0]), "the column is missing"))
        except ValueError as error:
            wrong.append(Complaint(where, "", f"is no run: {error}"))
        except InputError as error:
            wrong += [Complaint(where, c.field, c.message) for c in error.complaints]
    if wrong:
        raise InputError(wrong)
    return tuple(found)


def _check(run: Run) -> None:
    wrong = []
    sizes = (run.layers, run.width, run.heads, run.sequence, run.tensor, run.pipeline, run.data, run.microbatch)
    if min(*sizes, run.chunks, run.batch) < 1 or not run.seconds > 0:
        wrong.append(Complaint("", "", "sizes, degrees and seconds must be positive"))
    elif run.batch % (run.microbatch * run.data):
        text = f"{run.batch} sequences are no whole microbatches of {run.microbatch} on {run.data} replicas"
        wrong.append(Complaint("", "global_batch", text))
    elif run.heads % run.tensor:
        wrong.append(Complaint("", "tp", f"{run.tensor} devices do not divide {run.heads} heads"))
    elif run.layers % (run.pipeline * run.chunks):
        text = f"{run.layers} layers are not divided by {run.pipeline} stages of {run.chunks} chunks"
        wrong.append(Complaint("", "pp", text))
    if wrong:
        raise InputError(wrong)


_VOCABULARY = 51_200
"""GPT-2's, padded by Megatron for 8 devices; where a table does not say it."""


def read_runs(path: Path, gradients: str = "fp32") -> tuple[Run, ...]:
    """The runs of a table in the columns of Megatron's: ``layers, d_model, heads, seq, tp, pp, dp`` and so on.

    Columns: ``layers, d_model, heads, seq, tp, pp, dp, microbatch, global_batch``, ``recompute`` or ``mode``, and the
    step's ``seconds``, ``iteration_time_s``, ``iteration_time_ms`` or ``derived_iter_time_s``; may be there:
    ``vocab``, ``interleave_v``, ``model``, ``gradients``. Other columns are not read.

    Parameters
    ----------
    gradients
        Of rows that do not say it: ``fp32`` as Megatron accumulates them, ``fp16`` as DeepSpeed does.

    Raises
    ------
    InputError
        With file and line of every row that is no run.
    """
    return tuple(run if run.gradients else replace(run, gradients=gradients) for run in read_table(path, _row))


def _row(cells: Mapping[str, str], where: str) -> Run:
    mode = cells["mode"] if "mode" in cells else cells["recompute"]
    degrees = [int(cells[key]) for key in ("tp", "pp", "dp")]
    layers, width, heads, sequence = (int(cells[key]) for key in ("layers", "d_model", "heads", "seq"))
    shape = "x".join(map(str, degrees))
    title = cells.get("model") or f"{layers} layers of {width}, {heads} heads, {sequence} tokens"
    words = mode.replace("(", " ").replace(",", " ").split()
    recompute = next((word for word in ("none", "selective", "full") if word in words), "")
    if not recompute:
        raise InputError(f"{mode!r} names none of none, selective and full", field="recompute")
    return Run(
        name=f"{title}, {shape}, microbatch {cells['microbatch']} of {cells['global_batch']}, {mode}",
        layers=layers,
        width=width,
        heads=heads,
        sequence=sequence,
        vocabulary=int(cells.get("vocab") or _VOCABULARY),
        tensor=degrees[0],
        pipeline=degrees[1],
        data=degrees[2],
        microbatch=int(cells["microbatch"]),
        batch=int(cells["global_batch"]),
        recompute=recompute,
        sequence_parallel="sequence parallel" in mode,
        chunks=int(cells.get("interleave_v") or 1),
        seconds=_seconds(cells),
        where=where,
        gradients=_gradients(cells.get("gradients") or ""),
    )


def _gradients(word: str) -> str:
    if word not in ("", "fp32", "fp16"):
        raise InputError(f"{word!r}; allowed: fp32, fp16", field="gradients")
    return word


_TIMES = {"seconds": 1.0, "iteration_time_s": 1.0, "derived_iter_time_s": 1.0, "iteration_time_ms": 1e-3}


def _seconds(cells: Mapping[str, str]) -> float:
    for column, unit in _TIMES.items():
        if cells.get(column):
            return float(cells[column]) * unit
    raise InputError(f"no time of a step; allowed columns: {', '.join(_TIMES)}", field="seconds")
