"""Devices together: clusters, pipeline schedules and their timelines."""

from accmine.system.cluster import Cluster, Level, load_cluster
from accmine.system.collectives import collective_s, group_ranks
from accmine.system.levels import LONG
from accmine.system.passes import BACKWARD, FORWARD, WEIGHT, Path
from accmine.system.schedule import PipelineSchedule
from accmine.system.schedules import (
    DEFAULT_SCHEDULE,
    SCHEDULES,
    GPipe,
    Interleaved,
    OneForwardOneBackward,
    ZeroBubbleH1,
    ZeroBubbleH2,
    schedule_of,
    whole_stages,
)
from accmine.system.timeline import Timeline, critical_path, simulate, step_bound, step_time

__all__ = [
    "BACKWARD",
    "DEFAULT_SCHEDULE",
    "FORWARD",
    "LONG",
    "SCHEDULES",
    "WEIGHT",
    "Cluster",
    "GPipe",
    "Interleaved",
    "Level",
    "OneForwardOneBackward",
    "Path",
    "PipelineSchedule",
    "Timeline",
    "ZeroBubbleH1",
    "ZeroBubbleH2",
    "collective_s",
    "critical_path",
    "group_ranks",
    "load_cluster",
    "schedule_of",
    "simulate",
    "step_bound",
    "step_time",
    "whole_stages",
]
