"""Described architectures, their kernels, and studies of other kinds than training, checked, with every default: the
rest of ``accmine validate``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from accmine.files import format_quantity, is_file_reference, load_yaml, names, resolve, validate

__all__ = ["checked_description", "checked_study", "is_described"]


def is_described(name_or_path: str | Path) -> bool:
    """Whether this names a described architecture and no study.

    Raises
    ------
    InputError
        If it is a file that cannot be read.
    """
    if not is_file_reference(name_or_path):
        return name_or_path in names("kernels") and name_or_path not in names("studies")
    path = resolve("studies", name_or_path)
    data = load_yaml(path, name=str(name_or_path)).data
    return isinstance(data, Mapping) and not data.keys().isdisjoint(("stages", "units")) and "kind" not in data


def checked_description(
    architecture: str | Path, kernel: str | Path | None, overrides: Sequence[str] = ()
) -> dict[str, Any]:
    """The keys of an architecture, or of a kernel on it, with every default: a valid file of the same again.

    Parameters
    ----------
    kernel
        A file; ``None``: the architecture is meant.
    overrides
        ``NAME=VALUE``: parameters of the architecture.

    Raises
    ------
    InputError
        With everything that is wrong in either.
    """
    from accmine.kernel.described.architecture_file import read_architecture
    from accmine.kernel.described.kernel_file import load_kernel
    from accmine.kernel.described.keys import ArchitectureKeys
    from accmine.kernel.described.resolve import resolve as fitted
    from accmine.questions.kernel.measure import parameters_of

    shown = str(architecture) if is_file_reference(architecture) else None
    document = load_yaml(resolve("kernels", architecture), name=shown)
    machine = read_architecture(document, parameters_of(tuple(overrides)))
    if kernel is not None:
        found = load_kernel(kernel, machine)
        fitted(machine, found)
        assert found.document is not None
        return {"name": found.name, "description": "", "parameters": {}, **found.document.data}
    keys: dict[str, Any] = _written(validate(document, ArchitectureKeys))
    keys["parameters"] = {name: machine.parameters[name] for name in keys["parameters"]}
    if machine.frequency_hz is not None:
        keys["frequency"] = format_quantity(machine.frequency_hz, "hertz")
    return keys


def checked_study(study: str | Path, overrides: Sequence[str] | None = None) -> dict[str, Any]:
    """The keys of a study that is not about training, with every default, once the files that it names are read.

    Raises
    ------
    InputError
        With everything that is wrong.
    """
    from accmine.study import as_mapping, read_document
    from accmine.study.sparse import read_sparse, sparse_in

    loaded = sparse_in(*read_document(study, overrides or []))
    read_sparse(loaded)
    return as_mapping(loaded.study)


def _written(value: Any) -> Any:
    """Plain values; no keys that are not there, and no repetition of nothing."""
    if isinstance(value, BaseModel):
        value = {key: item for key, item in value if item is not None and not (key == "repeat" and not item)}
    if isinstance(value, Mapping):
        return {key: _written(item) for key, item in value.items()}
    return [_written(item) for item in value] if isinstance(value, tuple) else value
