"""Workloads: models as operator graphs."""

from __future__ import annotations

from accmine.workload.fusion import fuse
from accmine.workload.graph import BYTES, OperatorGraph, Vector
from accmine.workload.importers.models import ModelDescription, forward_graph, list_models, load_model, summary
from accmine.workload.importers.transformer_config import TransformerConfig
from accmine.workload.kinds import VECTOR_KINDS
from accmine.workload.residency import WINDOW, local_bytes
from accmine.workload.stages import Stage, balance, cut, device_stage
from accmine.workload.task import PhaseRun, Task
from accmine.workload.training.memory import Memory, memory
from accmine.workload.training.training import DtypePolicy, training_graph

__all__ = [
    "BYTES",
    "VECTOR_KINDS",
    "WINDOW",
    "DtypePolicy",
    "Memory",
    "ModelDescription",
    "OperatorGraph",
    "PhaseRun",
    "Stage",
    "Task",
    "TransformerConfig",
    "Vector",
    "annotations",
    "balance",
    "cut",
    "device_stage",
    "forward_graph",
    "fuse",
    "list_models",
    "load_model",
    "local_bytes",
    "memory",
    "summary",
    "training_graph",
]
