"""Workloads: models as operator graphs."""

from __future__ import annotations

from accmine.workload.importers.models import ModelDescription, forward_graph, list_models, load_model, summary

__all__ = ["ModelDescription", "forward_graph", "list_models", "load_model", "summary"]
