"""Devices together: clusters, pipeline schedules and their timelines."""

from accmine.system.cluster import Cluster, load_cluster
from accmine.system.levels import LONG
from accmine.system.passes import BACKWARD, FORWARD, Path
from accmine.system.schedules import (
    DEFAULT_SCHEDULE,
    SCHEDULES,
    GPipe,
    OneForwardOneBackward,
    PipelineSchedule,
    schedule_of,
)
from accmine.system.timeline import Timeline, critical_path, simulate, step_bound, step_time

__all__ = [
    "BACKWARD",
    "DEFAULT_SCHEDULE",
    "FORWARD",
    "LONG",
    "SCHEDULES",
    "Cluster",
    "GPipe",
    "OneForwardOneBackward",
    "Path",
    "PipelineSchedule",
    "Timeline",
    "critical_path",
    "load_cluster",
    "schedule_of",
    "simulate",
    "step_bound",
    "step_time",
]
