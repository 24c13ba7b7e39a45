"""What the catalogue and the registry hold, as rows for ``accmine list``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from accmine.errors import InputError
from accmine.files import KINDS, did_you_mean, load_yaml, names, resolve

__all__ = ["LISTS", "file_rows", "rows"]

LISTS = (*KINDS, "solvers", "runs")
"""What can be listed."""


def _workload(name: str) -> dict[str, Any]:
    from accmine.workload import load_model, summary

    return dict(summary(load_model(name)))


def _accelerator(name: str) -> dict[str, Any]:
    from accmine.hardware import facts_of, load_accelerator, read_accelerator

    try:
        design, facts = load_accelerator(name), facts_of(read_accelerator(name))
    except InputError:  # has ranges
        return {"name": name, "kind": "template", "description": _description("accelerators", name)}
    return {
        "name": name,
        "kind": "anchor" if facts.anchor else "design",
        "calibrated": facts.calibrated,
        "design": design.name,
        "peak_tflops_per_s": design.peak_flops_per_s / 1e12,
        "hbm_gib": design.hbm_bytes / (1 << 30),
        "hbm_gb_per_s": design.hbm_bytes_per_s / 1e9,
        "description": _description("accelerators", name),
    }


def _device(name: str) -> dict[str, Any]:
    from accmine.sparse.device import load_device

    own = load_device(name)
    rates = {"frequency_mhz": own.frequency_hz / 1e6, "bandwidth_gb_per_s": own.bandwidth_bits_per_s / 8e9}
    return {"name": name, **own.blocks(), **rates, "description": _description("devices", name)}


def _description(kind: str, name: str) -> str:
    """The ``description`` of an entry, or the comment it starts with."""
    document = load_yaml(resolve(kind, name))
    given = document.data.get("description") if isinstance(document.data, dict) else None
    if given:
        return " ".join(str(given).split())
    comment: list[str] = []
    for line in document.text.splitlines():
        if not line.startswith("#"):
            break
        comment.append(line.lstrip("# ").rstrip())
    return " ".join(comment)


def _described(kind: str) -> Callable[[str], dict[str, Any]]:
    return lambda name: {"name": name, "description": _description(kind, name)}


def _solvers() -> list[dict[str, Any]]:
    from accmine.registry import DEFAULT_SOLVER, MODELS, SOLVERS, solvers_of

    return [
        {"problem": kind, "name": name, "default": DEFAULT_SOLVER.get(kind) == name, "model": (kind, name) in MODELS}
        for kind in sorted({kind for kind, _ in SOLVERS})
        for name in solvers_of(kind)
    ]


def rows(what: str, runs: Path = Path("runs")) -> list[dict[str, Any]]:
    """One row of JSON values per entry of ``what``, sorted by name; runs by time, the newest last.

    Parameters
    ----------
    what
        One of ``LISTS``.
    runs
        Folder of the run folders.

    Raises
    ------
    InputError
        If ``what`` is something else.
    """
    if what not in LISTS:
        raise InputError(f"cannot list {what!r}; {did_you_mean(what, LISTS)}allowed: {', '.join(LISTS)}")
    if what == "runs":
        from accmine.questions.results.table import list_rows

        return list_rows(runs)
    if what == "solvers":
        return _solvers()
    row = {"workloads": _workload, "accelerators": _accelerator, "devices": _device}.get(what) or _described(what)
    return [row(name) for name in names(what)]


def file_rows(what: str) -> list[dict[str, Any]]:
    """Name and file of every entry of a folder of the catalogue.

    Raises
    ------
    InputError
        If ``what`` is no such folder: solvers are in no file of the catalogue.
    """
    return [{"name": name, "file": str(resolve(what, name))} for name in names(what)]
