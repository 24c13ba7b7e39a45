"""Devices together: clusters, pipeline schedules and their timelines."""

from accmine.system.cluster import Cluster, load_cluster
from accmine.system.levels import LONG, level_steps
from accmine.system.schedules import BACKWARD, FORWARD, SCHEDULES, stage_order
from accmine.system.timeline import Path, Timeline, critical_path, simulate, step_bound, step_time

__all__ = [
    "BACKWARD",
    "FORWARD",
    "LONG",
    "SCHEDULES",
    "Cluster",
    "Path",
    "Timeline",
    "critical_path",
    "level_steps",
    "load_cluster",
    "simulate",
    "stage_order",
    "step_bound",
    "step_time",
]
