"""A kernel on a described architecture, read, timed and explained: what ``accmine kernel`` prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from accmine.errors import InputError
from accmine.files import is_file_reference, load_yaml, parse_value
from accmine.kernel.analysis import Analysis, analyse
from accmine.kernel.architecture import Architecture
from accmine.kernel.described.architecture_file import load_architecture
from accmine.kernel.described.kernel_file import load_kernel
from accmine.kernel.described.resolve import resolve
from accmine.kernel.evidence import Evidence, evidence
from accmine.kernel.program import Program
from accmine.questions.kernel.changes import Change, changes, untried

__all__ = ["KernelReport", "is_workload", "kernel_report", "parameters_of"]


@dataclass(frozen=True)
class KernelReport:
    """A kernel on an architecture.

    Attributes
    ----------
    changes
        What makes the dominating loop faster.
    evidence
        What speaks for the rate of each loop.
    untried
        How many changes were not tried, since the body of that loop is large.
    """

    architecture: Architecture
    program: Program = field(repr=False)
    analysis: Analysis
    changes: tuple[Change, ...]
    evidence: tuple[Evidence, ...]
    untried: int = 0

    @property
    def seconds(self) -> float | None:
        """``None`` where the architecture has no frequency."""
        clock = self.architecture.frequency_hz
        return None if clock is None else self.analysis.cycles / clock


def kernel_report(
    architecture: str | Path, kernel: str | Path, parameters: Mapping[str, int] | None = None
) -> KernelReport:
    """Read an architecture and a kernel, and explain what the kernel takes.

    Parameters
    ----------
    architecture
        A name of the catalogue or a file.
    kernel
        A file.
    parameters
        Of the architecture, in the place of those in its file.

    Raises
    ------
    InputError
        With everything that is wrong in either.
    """
    machine = load_architecture(architecture, None, dict(parameters or {}))
    written = load_kernel(kernel, machine)
    program = resolve(machine, written)
    try:
        analysis = analyse(program)
        best, left = changes(program, analysis), untried(program, analysis)
        return KernelReport(machine, program, analysis, best, evidence(program, analysis), left)
    except InputError as error:  # too many cycles or states: of no single key, but of this file
        where = "" if written.document is None else written.document.locate(("body",), key=True)
        found = [each if each.where else replace(each, where=where, field="body") for each in error.complaints]
        raise InputError(found) from None


_OF_MODELS = ("family", "model_type", "layers")


def is_workload(name: str) -> bool:
    """Whether this names a model rather than a kernel: no file, or one that describes a model.

    Raises
    ------
    InputError
        If it is a YAML or JSON file that cannot be read.
    """
    if not is_file_reference(name) or not name.lower().endswith((".yaml", ".yml", ".json")):
        return True
    data = load_yaml(name).data
    return isinstance(data, Mapping) and "body" not in data and any(key in data for key in _OF_MODELS)


def parameters_of(words: list[str] | tuple[str, ...]) -> dict[str, int]:
    """``rows=32`` and the like.

    Raises
    ------
    InputError
        With every one that is not a name and a whole number.
    """
    found: dict[str, int] = {}
    for word in words:
        name, equals, text = word.partition("=")
        value: Any = parse_value(text, f"--set {word}") if equals else None
        if not name or isinstance(value, bool) or not isinstance(value, int):
            raise InputError("must be a parameter and a whole number, for example rows=32", f"--set {word}")
        found[name] = value
    return found
