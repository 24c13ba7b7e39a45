"""JSON schemas of what users write, by the word that ``accmine schema`` takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from accmine.errors import InputError
from accmine.files import did_you_mean

__all__ = ["SCHEMAS", "schema_of"]


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


SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "study": _study,
    "workload": _workload,
    "technology": _technology,
    "cluster": _cluster,
    "design": _design,
}
"""What has a schema; a design's is that of templates too."""


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
