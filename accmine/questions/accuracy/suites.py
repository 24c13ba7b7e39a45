"""The accuracy ledger: suites that hold the models against published or measured values."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from accmine.errors import InputError
from accmine.files import did_you_mean
from accmine.questions.accuracy.gemmini import FILES as GEMMINI_FILES
from accmine.questions.accuracy.gemmini import GEMMINI, gemmini_lines, gemmini_rows
from accmine.questions.accuracy.silicon import FILES as SILICON_FILES
from accmine.questions.accuracy.silicon import SILICON, silicon_lines, silicon_rows
from accmine.questions.accuracy.training.suites import FILES as TRAINING_FILES
from accmine.questions.accuracy.training.suites import TRAINING, training_lines, training_rows

__all__ = ["DATA_FILES", "SUITES", "rows", "summary"]

SUITES = ("anchors", "scalesim", "chips", "a100-matmul", *SILICON, GEMMINI, *TRAINING)
"""``anchors``: peaks of real chips and measured training; ``scalesim``: cycles of SCALE-Sim 3.0.0 runs; ``chips``:
areas and powers of known chips, each predicted from the others; ``a100-matmul``: measured products on an A100;
``SILICON``: many operators of chips; ``GEMMINI``: layers on the RTL of an accelerator; ``TRAINING``: training steps on
many devices."""

DATA_FILES = {"scalesim": "scalesim_cycles.csv", "a100-matmul": "llmcompass_matmul_a100.csv"}
"""Suites that read one file of the data folder."""

FILES = SILICON_FILES | GEMMINI_FILES | TRAINING_FILES
"""Suites that read several."""

_LINES = {**dict.fromkeys(SILICON, silicon_lines), GEMMINI: gemmini_lines, **dict.fromkeys(TRAINING, training_lines)}
_ROWS = {**dict.fromkeys(SILICON, silicon_rows), GEMMINI: gemmini_rows, **dict.fromkeys(TRAINING, training_rows)}

_PEAK_BAND = (0.99, 1.01)  # a peak is arithmetic: only rounding in the published figure is allowed
_TRAINING_BAND = (1.0, 2.5)
"""The model has no collectives, input pipeline or host: slower than silicon is wrong, so is far faster."""
_CALIBRATED_BAND = (0.9, 1.1)
_LAUNCH_BAND = (0.8, 1.2)
_PLAIN_BAND = (0.0, 1.0)
"""Without corrections the model may only be faster than silicon."""


class _Training(NamedTuple):
    """Training of a model on one chip.

    Attributes
    ----------
    chip
        Its design file.
    workload
        A line of a study; the batch is that of one chip.
    measured
        Samples per second and chip.
    """

    name: str
    chip: str
    workload: str
    measured: float
    source: str


_A100 = "a100-80gb"
_BERT = "{{use: bert-large, sequence: {}, batch: {}, microbatch: {}, optimizer: lamb, dtype: fp16, split: none}}"
_NVIDIA = "NVIDIA DeepLearningExamples, one A100 80 GB, {}"

_TRAININGS = (
    _Training(
        "ResNet-50, 256 images, TPUv3",
        "tpuv3-like",
        "{use: resnet-50, image: 224, batch: 256, optimizer: sgd}",
        125_100 * 1024 / (4.4 * 3600) / 4,
        "Flax ImageNet example, TPU v3-8: 125,100 steps of 1,024 images in 4.4 hours, evaluation included",
    ),
    *(
        _Training(
            f"BERT-Large, sequence {sequence}, microbatch {microbatch}, A100, {code}",
            _A100,
            _BERT.format(sequence, batch, microbatch),
            measured,
            _NVIDIA.format(code),
        )
        for sequence, batch, microbatch, measured, code in (
            (128, 65_536, 256, 580.0, "PyTorch"),
            (128, 79_872, 312, 485.6, "TensorFlow 2 with XLA"),
            (512, 30_720, 40, 96.5, "TensorFlow 2 with XLA"),
        )
    ),
)


def rows(suite: str, data: Path | None = None) -> list[dict[str, Any]]:
    """Every comparison of a suite.

    Parameters
    ----------
    suite
        One of ``SUITES``.
    data
        Folder of the data files (``DATA_FILES``).

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
    if suite not in SUITES:
        raise InputError(f"unknown suite {suite!r}; {did_you_mean(suite, SUITES)}allowed: {', '.join(SUITES)}")
    if suite in FILES:
        if data is None:
            raise InputError(f"the suite {suite} reads {FILES[suite][0]}: name its folder by --data or ACCMINE_DATA")
        return _ROWS[suite](suite, data)
    if suite in DATA_FILES:
        if data is None:
            file = DATA_FILES[suite]
            raise InputError(f"the suite {suite} reads {file}: name its folder by --data or ACCMINE_DATA")
        return {"scalesim": _scalesim, "a100-matmul": _matmul}[suite](data / DATA_FILES[suite])
    return {"anchors": _anchors, "chips": _chips}[suite]()


def summary(data: Path | None = None, suites: Sequence[str] = SUITES) -> list[dict[str, Any]]:
    """One line for each suite and quantity.

    Returns
    -------
    list of dict
        ``suite``, ``quantity``, ``rows``, ``within`` (rows inside their band), ``mape``, ``bias`` and ``worst`` of the
        ratio − 1, ``rank`` (Spearman), ``mape_at_most`` where the mean has a limit, ``ok``, ``note``. A suite
        whose data are not there has a line with ``rows`` 0, ``ok`` ``None`` and what it needs.

    Raises
    ------
    InputError
        For an unknown suite, a folder that is not there, or data that are wrong.
    """
    if data is not None and not data.is_dir():
        raise InputError(f"no such folder: {data}", field="--data")
    lines = []
    for suite in suites:
        files = FILES.get(suite) or ((DATA_FILES[suite],) if suite in DATA_FILES else ())
        file = next((name for name in files if data is None or not (data / name).is_file()), None)
        if file is not None:
            lines.append(_line(suite, file, [], None, f"needs --data with {file}"))
            continue
        entries = rows(suite, data)
        if suite in FILES:
            lines += _LINES[suite](suite, entries, _line)
            continue
        for quantity in dict.fromkeys(entry["quantity"] for entry in entries):
            group = [entry for entry in entries if entry["quantity"] == quantity]
            lines.append(_line(suite, quantity, group, _MAPE_LIMITS.get(quantity)))
        if suite == "a100-matmul":
            lines += _matmul_parts(entries)
    return lines


def _line(
    suite: str, quantity: str, group: Sequence[dict[str, Any]], limit: float | None, note: str = ""
) -> dict[str, Any]:
    from accmine.questions.accuracy.score import score

    line = {"suite": suite, "quantity": quantity, "rows": len(group), "within": sum(_inside(entry) for entry in group)}
    if not group:
        return {**line, **dict.fromkeys(("mape", "bias", "worst", "rank", "mape_at_most", "ok")), "note": note}
    found = score([entry["model"] for entry in group], [entry["published"] for entry in group])
    ok = line["within"] == len(group) and (limit is None or found.mape <= limit)
    values = {"mape": found.mape, "bias": found.bias, "worst": found.worst, "rank": found.rank}
    return {**line, **values, "mape_at_most": limit, "ok": ok, "note": note}


def _inside(entry: dict[str, Any]) -> bool:
    return bool(entry["at_least"] <= entry["ratio"] <= entry["at_most"])


def _anchors() -> list[dict[str, Any]]:
    return [*_peaks(), *_trainings()]


def _chips() -> list[dict[str, Any]]:
    from accmine.questions.accuracy.chips import rows as chip_rows

    return list(chip_rows())


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
    from accmine.hardware import peaks

    return [_row(name, "peak TFLOP/s", model, published, _PEAK_BAND, "published") for name, model, published in peaks()]


def _trainings() -> list[dict[str, Any]]:
    """Training throughput in samples per second and chip, on list schedules."""
    rows = []
    for training in _TRAININGS:
        samples, seconds = _step(training.chip, training.workload)
        quantity = "training samples/s per chip"
        rows.append(
            _row(training.name, quantity, samples / seconds, training.measured, _TRAINING_BAND, training.source)
        )
    return rows


@cache
def _step(chip: str, workload: str) -> tuple[int, float]:
    """(Samples, seconds) of an optimiser step on one chip; ``workload`` is a line of a study."""
    from accmine.files import load_yaml, validate
    from accmine.plan import plan_of
    from accmine.ports import Stop
    from accmine.search import schedule_task
    from accmine.study import Study

    text = f"name: anchor\nworkloads: [{workload}]\naccelerator: {{use: {chip}}}\nbaseline: {chip}\n"
    plan = plan_of(validate(load_yaml(text=text, name="anchor"), Study))
    (pipeline,) = plan.pipelines
    (task,) = pipeline.tasks
    if task.memory_bytes > plan.baseline.hbm_bytes:
        raise InputError(f"{workload} does not fit the memory of {chip}")
    schedule = schedule_task(task, plan.library(), plan.baseline, "list", Stop(), 0)
    return pipeline.batch, float(pipeline.step_s([schedule.phase_s]))


def _scalesim(path: Path) -> list[dict[str, Any]]:
    from accmine.questions.accuracy.arrays import scalesim_ledger

    return [
        _row(
            f"{run.layer} {run.dataflow} {run.rows}x{run.cols}",
            "cycles",
            run.model_cycles,
            run.tool_cycles,
            (1.0, 1.0),
            "SCALE-Sim 3.0.0",
        )
        for run in scalesim_ledger(path)
    ]


_CALIBRATED = "us, launch and efficiencies fitted on other rows"
_LAUNCH = "us, launch alone fitted on other rows"
_PLAIN = "us, nothing fitted"
_LARGE = 1024
_SHORTEST = 8
_MAPE_LIMITS = {_CALIBRATED: 0.10, _LAUNCH: 0.10}
_LARGE_LIMIT = 0.05


def _matmul(path: Path) -> list[dict[str, Any]]:
    """Measured products against the model, with constants fitted on rows other than the one compared."""
    from accmine.hardware import load_accelerator
    from accmine.questions.accuracy.arrays import MATMUL_ACCELERATOR, matmul_ledger

    found = matmul_ledger(path, load_accelerator(MATMUL_ACCELERATOR))
    variants = (
        (_CALIBRATED, "model_s", _CALIBRATED_BAND),
        (_LAUNCH, "launch_only_s", _LAUNCH_BAND),
        (_PLAIN, "uncorrected_s", _PLAIN_BAND),
    )
    return [
        _row(row.name, quantity, 1e6 * getattr(row, attribute), 1e6 * row.measured_s, band, "A100, LLMCompass")
        for quantity, attribute, band in variants
        for row in found
    ]


def _matmul_parts(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lines about some of the products: the large ones, and the shortest."""
    lines = []
    for quantity in (_CALIBRATED, _LAUNCH):
        group = [entry for entry in entries if entry["quantity"] == quantity]
        large = [entry for entry in group if min(map(int, entry["name"].split("x"))) >= _LARGE]
        limit = _LARGE_LIMIT if quantity == _CALIBRATED else None
        lines.append(_line("a100-matmul", f"{quantity}; m, k, n >= {_LARGE:,}", large, limit))
    group = sorted(
        (entry for entry in entries if entry["quantity"] == _CALIBRATED), key=lambda entry: entry["published"]
    )
    lines.append(_line("a100-matmul", f"{_CALIBRATED}; the {_SHORTEST} shortest", group[:_SHORTEST], None))
    return lines
