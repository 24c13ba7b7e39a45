"""JSON schemas of what users write, by the word that ``accmine schema`` takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from accmine.errors import InputError
from accmine.files import did_you_mean
from accmine.questions.study.key_table import EXPRESSIONS, key_table

__all__ = ["SCHEMAS", "reference_of", "schema_of"]


def _study() -> dict[str, Any]:
    from accmine.study import schema
    from accmine.study.sweep import SweepBlock

    table = schema()
    blocks = {"sweep": SweepBlock.model_json_schema(), "compare": {"type": "object"}}
    # a comparison may name a suite in the place of workloads and accelerator
    needed = [{"required": table.pop("required")}, {"required": ["compare"]}]
    return table | {"properties": table["properties"] | blocks, "anyOf": needed}


def _workload() -> dict[str, Any]:
    from accmine.workload.importers.models import model_schema

    return model_schema()


def _technology() -> dict[str, Any]:
    from accmine.hardware.schema import technology_schema

    return technology_schema()


def _cluster() -> dict[str, Any]:
    from accmine.system.cluster import cluster_schema

    return cluster_schema()


def _design() -> dict[str, Any]:
    from accmine.hardware.schema import design_schema

    return design_schema()


def _architecture() -> dict[str, Any]:
    from accmine.kernel.described.architecture_file import architecture_schema

    return architecture_schema()


def _kernel() -> dict[str, Any]:
    from accmine.kernel.described.kernel_file import kernel_schema

    return kernel_schema()


def _sparse_dataflow() -> dict[str, Any]:
    from accmine.study.sparse import sparse_schema

    return sparse_schema()


def _device() -> dict[str, Any]:
    from accmine.sparse.device import device_schema

    return device_schema()


def _engine() -> dict[str, Any]:
    from accmine.sparse.engine import engine_schema

    return engine_schema()


SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "study": _study,
    "sparse-dataflow": _sparse_dataflow,
    "workload": _workload,
    "technology": _technology,
    "cluster": _cluster,
    "design": _design,
    "architecture": _architecture,
    "kernel": _kernel,
    "device": _device,
    "engine": _engine,
}
"""What has a schema: studies of training and of other kinds, and what they name; a design's is that of templates too,
an architecture is one that ``accmine kernel`` takes."""


def schema_of(what: str) -> dict[str, Any]:
    """JSON Schema (2020-12) of a kind of file.

    Raises
    ------
    InputError
        If ``what`` is not one of ``SCHEMAS``.
    """
    if what not in SCHEMAS:
        raise InputError(f"no schema of {what!r}; {did_you_mean(what, SCHEMAS)}allowed: {', '.join(SCHEMAS)}")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **SCHEMAS[what](), "title": f"accmine {what}"}


_IN_WORDS = {
    "architecture": ("a described architecture", EXPRESSIONS),
    "kernel": ("a kernel", EXPRESSIONS),
    "sparse-dataflow": ("a study of a sparse dataflow accelerator", ""),
}
"""Those with a reference of their keys: in words, and what is said of their values."""


def reference_of(what: str) -> str:
    """Markdown table of all keys of a study of any kind, a described architecture or a kernel.

    Raises
    ------
    InputError
        If ``what`` is not one of ``SCHEMAS``, or another one.
    """
    if what == "study":
        from accmine.study import study_reference

        return study_reference()
    table = schema_of(what)
    if what not in _IN_WORDS:
        raise InputError(f"is about {', '.join(('study', *_IN_WORDS))}, not about {what}", field="--markdown")
    return key_table(what, *_IN_WORDS[what], table)
