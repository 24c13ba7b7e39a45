"""Suites of measured training steps: Megatron's two tables, and all plans of one node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from accmine.questions.accuracy.score import spearman
from accmine.questions.accuracy.training.fsdp import fsdp_bytes, fsdp_s, read_fsdp
from accmine.questions.accuracy.training.machine import Machine, machine_of
from accmine.questions.accuracy.training.memory import first_device_bytes, formula_bytes
from accmine.questions.accuracy.training.runs import Run, read_runs
from accmine.questions.accuracy.training.stacks import DRAWS, Measured, coverage
from accmine.questions.accuracy.training.step import predict

__all__ = ["FILES", "TRAINING", "training_lines", "training_rows"]

SC21, TABLE5, NODE = "megatron_sc21_table1.csv", "recompute_korthikanti_table5.csv", "vtrain_single_node.csv"
FSDP = "llm_foundry_a100.csv"
FILES = {"training": (SC21, TABLE5), "vtrain": (NODE,), "fsdp": (FSDP,)}
"""Suite -> its files in the data folder."""

TRAINING = tuple(FILES)

_TABLES = {
    "s per step, Megatron SC'21 Table 1": (SC21, 0.08, "Megatron-LM, SC'21 Table 1"),
    "s per step, recompute Table 5": (TABLE5, 0.06, "Korthikanti et al. 2022, Table 5"),
}
_STEP, _BEST = "ms per step", "ms of the plan taken against the best of its group"
_SOURCE = "vTrain, Megatron-DeepSpeed"
_DEEPSPEED = "fp16"
"""DeepSpeed's optimiser without ZeRO keeps, and sums among replicas, the gradients that autograd makes."""

_SHARDED, _FITS = "s per step, fully sharded", "GB of a device that ran it, at most its HBM"
_KEPT = "GiB of the first device, by the field's formula"
_NEAR = (0.95, 1.05)
_GROUP = 10
"""Rows that a group needs to be ranked."""

_COVERED = (0.85, 0.95)
"""Share of steps that intervals for 9 of 10 of them may hold."""

_RANKS, _REGRETS = (0.9, 0.8), (0.05, 0.20)
"""Least rank and most regret allowed: of the median group, and of one in ten that is worse."""

_MOST = 1e9


def training_rows(suite: str, data: Path) -> list[dict[str, Any]]:
    """Every comparison of a suite, as ``accmine.questions.accuracy.suites.rows`` describes them.

    ``ok`` is ``None``: no row is judged but their mean, or the ranks of groups.
    """
    if suite == "fsdp":
        return _fully_sharded(data / FSDP)
    machine = machine_of()
    if suite == "training":
        return [*_tables(data, machine), *_memory(read_runs(data / TABLE5), machine)]
    return _node(read_runs(data / NODE, _DEEPSPEED), machine)


def _tables(data: Path, machine: Machine) -> list[dict[str, Any]]:
    return [
        _row(run.name, quantity, predict(run, machine), run.seconds, source)
        for quantity, (file, _, source) in _TABLES.items()
        for run in read_runs(data / file)
    ]


def _memory(runs: Sequence[Run], machine: Machine) -> list[dict[str, Any]]:
    """What the first device keeps, against the formula by which the field sizes it."""
    rows = []
    for run in runs:
        kept = first_device_bytes(run, machine) / (1 << 30)
        row = _row(run.name, _KEPT, kept, formula_bytes(run) / (1 << 30), "Korthikanti et al. 2022")
        low, high = _NEAR
        rows.append(row | {"at_least": low, "at_most": high, "ok": low <= row["ratio"] <= high})
    return rows


def _fully_sharded(path: Path) -> list[dict[str, Any]]:
    """Times, and whether the memory of a device holds what ran on it."""
    runs = read_fsdp(path)
    machines = {chip: machine_of(chip=chip) for chip in dict.fromkeys(run.chip for run in runs)}
    rows = [_row(run.name, _SHARDED, fsdp_s(run, machines[run.chip]), run.seconds, "llm-foundry") for run in runs]
    for run in runs:
        hbm = machines[run.chip].design.hbm_bytes
        row = _row(run.name, _FITS, 1e-9 * fsdp_bytes(run), 1e-9 * hbm, "llm-foundry")
        rows.append(row | {"at_most": 1.0, "ok": row["ratio"] <= 1.0})
    return rows


def _node(runs: Sequence[Run], machine: Machine) -> list[dict[str, Any]]:
    rows = [_row(run.name, _STEP, 1e3 * predict(run, machine), 1e3 * run.seconds, _SOURCE) for run in runs]
    groups: dict[tuple[int, ...], list[dict[str, Any]]] = {}
    for run, row in zip(runs, rows, strict=True):
        groups.setdefault(run.model, []).append(row)
    for (layers, width, heads, sequence, batch, devices), group in groups.items():
        if len(group) < _GROUP:
            continue
        model, measured = ([row[key] for row in group] for key in ("model", "published"))
        name = f"{layers} layers of {width}, {heads} heads, {sequence} tokens, batch {batch}, {devices} devices"
        rank = spearman(model, measured)
        taken = measured[int(np.argmin(model))]
        text = "no rank" if rank is None else f"rank {rank:.3f}"
        row = _row(f"{name}: {len(group)} plans, {text}", _BEST, taken, min(measured), _SOURCE)
        rows.append(row | {"rank": rank})
    return rows


def _row(name: str, quantity: str, model: float, published: float, source: str) -> dict[str, Any]:
    return {
        "name": name,
        "quantity": quantity,
        "model": model,
        "published": published,
        "ratio": model / published,
        "at_least": 0.0,
        "at_most": _MOST,
        "ok": None,
        "source": source,
    }


def training_lines(
    suite: str, entries: Sequence[dict[str, Any]], line: Callable[..., dict[str, Any]]
) -> list[dict[str, Any]]:
    """The summary of a suite; ``line`` makes one of a quantity."""
    found = []
    for quantity in dict.fromkeys(entry["quantity"] for entry in entries):
        group = [entry for entry in entries if entry["quantity"] == quantity]
        if quantity == _BEST:
            found += _group_lines(suite, group)
        else:
            limit = _TABLES[quantity][1] if quantity in _TABLES else None
            own = line(suite, quantity, group, limit)
            judged = None if limit is None else own["mape"] <= limit
            if quantity in (_FITS, _KEPT):
                judged = own["within"] == own["rows"]
            if quantity == _FITS:
                own |= dict.fromkeys(("mape", "bias", "worst", "rank"))  # a limit, no measurement
            found.append(own | {"ok": judged})
            if quantity in (_STEP, _SHARDED):
                found.append(_stack_line(suite, group))
    return found


def _stack_line(suite: str, steps: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """How often intervals hold, of stacks calibrated on 20 of the steps and held against the others."""
    held, band = coverage([Measured(step["name"], step["model"], step["published"]) for step in steps])
    text = f"intervals of a stack calibrated on 20 steps, others within, {DRAWS} draws; × or ÷ {band:.2f}"
    own = {"suite": suite, "quantity": text, "rows": len(steps) - 20, "within": round(held * (len(steps) - 20), 1)}
    empty = dict.fromkeys(("mape", "bias", "worst", "rank", "mape_at_most"))
    return own | empty | {"ok": _COVERED[0] <= held <= _COVERED[1], "note": ""}


def _group_lines(suite: str, groups: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Ranks and regrets: of the median group, and of the one that nine of ten are better than."""
    ranks = [group["rank"] for group in groups if group["rank"] is not None]
    regrets = [group["ratio"] - 1.0 for group in groups]
    found = []
    for i, (word, low, high) in enumerate((("median", 50, 50), ("one in ten is worse", 10, 90))):
        rank, regret = float(np.percentile(ranks, low)), float(np.percentile(regrets, high))
        empty = dict.fromkeys(("mape", "bias", "worst", "rank", "mape_at_most", "within"), None)
        own = {"suite": suite, "rows": len(groups), "note": ""}
        text = f"rank of the plans of a group, {word} (at least {_RANKS[i]:g})"
        found.append(empty | own | {"quantity": text, "rank": round(rank, 4), "ok": rank >= _RANKS[i]})
        text = f"loss by the plan taken, {word}"
        limits = {"mape": regret, "mape_at_most": _REGRETS[i], "ok": regret <= _REGRETS[i]}
        found.append(empty | own | {"quantity": text} | limits)
    return sorted(found, key=lambda entry: entry["rank"] is None)
