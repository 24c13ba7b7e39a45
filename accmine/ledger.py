"""Suites that hold the models against published or measured values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from accmine.errors import InputError
from accmine.suggest import did_you_mean

__all__ = ["SUITES", "rows"]

SUITES = ("anchors", "scalesim")
"""``anchors``: peaks of real chips; ``scalesim``: cycles of SCALE-Sim 3.0.0 runs."""

_PEAK_BAND = (0.99, 1.01)  # a peak is arithmetic: only rounding in the published figure is allowed


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
        ``at_least`` and ``at_most`` of the ratio, ``ok``.

    Raises
    ------
    InputError
        For an unknown suite, or data that are missing or wrong.
    """
    if suite == "anchors":
        return _peaks()
    if suite == "scalesim":
        return _scalesim(data)
    raise InputError(f"unknown suite {suite!r}; {did_you_mean(suite, SUITES)}allowed: {', '.join(SUITES)}")


def _row(name: str, quantity: str, model: float, published: float, band: tuple[float, float]) -> dict[str, Any]:
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
    }


def _peaks() -> list[dict[str, Any]]:
    from accmine.hardware.accelerators import peaks

    return [_row(name, "peak TFLOP/s", model, published, _PEAK_BAND) for name, model, published in peaks()]


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
        )
        for run in scalesim_ledger(data / "scalesim_cycles.csv")
    ]
