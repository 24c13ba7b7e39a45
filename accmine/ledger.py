"""Suites that hold the models against published or measured values."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from accmine.errors import InputError
from accmine.suggest import did_you_mean

__all__ = ["SUITES", "rows"]

SUITES = ("anchors", "scalesim")
"""``anchors``: peaks of real chips and measured training; ``scalesim``: cycles of SCALE-Sim 3.0.0 runs."""

_PEAK_BAND = (0.99, 1.01)  # a peak is arithmetic: only rounding in the published figure is allowed
_TRAINING_BAND = (1.0, 2.5)
"""The model has no collectives, input pipeline or host: slower than silicon is wrong, so is far faster."""
_MEMORY = "measured; figure from memory"


class _Training(NamedTuple):
    """Training of a model on one chip of a large system.

    Attributes
    ----------
    phases
        Workload of each phase of the training as a line of a study, and its share of the optimiser steps.
        The batch is that of one chip.
    measured
        TFLOP/s per chip.
    """

    name: str
    phases: tuple[tuple[str, float], ...]
    measured: float


_CHIP = "tpuv3-like"
_BERT_128 = "{use: bert-large, sequence: 128, batch: 64, microbatch: 32, optimizer: adam}"
_BERT_512 = "{use: bert-large, sequence: 512, batch: 32, microbatch: 16, optimizer: adam}"
_RESNET_50 = "{use: resnet-50, image: 224, batch: 32, microbatch: 32, optimizer: sgd}"

_TRAININGS = (
    _Training("ResNet-50, 1,024 TPUv3", ((_RESNET_50, 1.0),), 25.0),
    _Training("BERT-Large, sequence 128, 1,024 TPUv3", ((_BERT_128, 1.0),), 34.3),
    _Training("BERT-Large, sequence 512, 1,024 TPUv3", ((_BERT_512, 1.0),), 34.3),
    _Training("BERT-Large, 9 of 10 steps at 128, 1,024 TPUv3", ((_BERT_128, 0.9), (_BERT_512, 0.1)), 34.3),
)
"""Both figures are from memory: 25 TFLOP/s is 20 % and 34.3 TFLOP/s 28 % of the chip's peak. Batches of the system,
as usual at this size: 32,768 images; 65,536 sequences of 128 and 32,768 of 512 tokens."""


def rows(suite: str, data: Path | None = None) -> list[dict[str, Any]]:
    """Every comparison of a suite.

    Parameters
    ----------
    suite
        One of ``SUITES``.
    data
        Folder of the data files; ``scalesim`` reads ``scalesim_cycles.csv`` in it.

    Returns
    -------
    list of dict
        ``name``, ``quantity`` (with its unit), ``model``, ``published``, ``ratio`` (model ÷ published),
        ``at_least`` and ``at_most`` of the ratio, ``ok``, ``source`` of the published value.

    Raises
    ------
    InputError
        For an unknown suite, or data that are missing or wrong.
    """
    if suite == "anchors":
        return [*_peaks(), *_trainings()]
    if suite == "scalesim":
        return _scalesim(data)
    raise InputError(f"unknown suite {suite!r}; {did_you_mean(suite, SUITES)}allowed: {', '.join(SUITES)}")


def _row(
    name: str, quantity: str, model: float, published: float, band: tuple[float, float], source: str
) -> dict[str, Any]:
    ratio = model / published
    return {
        "name": name,
        "quantity": quantity,
        "model": model,
        "published": published,
        "ratio": ratio,
        "at_least": band[0],
        "at_most": band[1],
        "ok": band[0] <= ratio <= band[1],
        "source": source,
    }


def _peaks() -> list[dict[str, Any]]:
    from accmine.hardware.accelerators import peaks

    return [_row(name, "peak TFLOP/s", model, published, _PEAK_BAND, "published") for name, model, published in peaks()]


def _trainings() -> list[dict[str, Any]]:
    """Training throughput in TFLOP/s per chip, on list schedules."""
    rows = []
    for training in _TRAININGS:
        steps = [(share, *_step(workload)) for workload, share in training.phases]
        macs = sum(share * step_macs for share, step_macs, _ in steps)
        seconds = sum(share * step_s for share, _, step_s in steps)
        rows.append(
            _row(
                training.name,
                "training TFLOP/s per chip",
                2 * macs / seconds / 1e12,
                training.measured,
                _TRAINING_BAND,
                _MEMORY,
            )
        )
    return rows


@cache
def _step(workload: str) -> tuple[int, float]:
    """(MACs of the model, seconds) of an optimiser step on one chip; ``workload`` is a line of a study."""
    from accmine.plan import make_plan
    from accmine.ports import Stop
    from accmine.schedules import schedule_task
    from accmine.source import load_yaml, validate
    from accmine.study import Study

    text = f"name: anchor\nworkloads: [{workload}]\naccelerator: {{use: {_CHIP}}}\nbaseline: {_CHIP}\n"
    plan = make_plan(validate(load_yaml(text=text, name="anchor"), Study))
    (pipeline,) = plan.pipelines
    (task,) = pipeline.tasks
    if task.memory_bytes > plan.baseline.hbm_bytes:
        raise InputError(f"{workload} does not fit the memory of {_CHIP}")
    schedule = schedule_task(task, plan.library(), plan.baseline, "list", Stop(), 0)
    return pipeline.model_macs, float(pipeline.step_s([schedule.phase_s]))


def _scalesim(data: Path | None) -> list[dict[str, Any]]:
    from accmine.cost.ledger import scalesim_ledger

    if data is None:
        raise InputError("the suite scalesim reads scalesim_cycles.csv: name its folder by --data or ACCMINE_DATA")
    return [
        _row(
            f"{run.layer} {run.dataflow} {run.rows}x{run.cols}",
            "cycles",
            run.model_cycles,
            run.tool_cycles,
            (1.0, 1.0),
            "SCALE-Sim 3.0.0",
        )
        for run in scalesim_ledger(data / "scalesim_cycles.csv")
    ]
