"""A study made concrete: graphs, stages, groups of devices, limits."""

from accmine.plan.build import baseline_costs, given_study, make_plan, plan_of
from accmine.plan.buildable import GIB, StudyLimits
from accmine.plan.limits import COSTS, KEYS, Limit, digits, limits_of
from accmine.plan.placement import PlacementPlan, make_placement, placement_of
from accmine.plan.plan import Group, PipelinePlan, Plan, whole_splits
from accmine.plan.under import costs_of, exceeded, for_throughput, of_study, under_limits, under_technology

__all__ = [
    "COSTS",
    "GIB",
    "KEYS",
    "Group",
    "Limit",
    "PipelinePlan",
    "PlacementPlan",
    "Plan",
    "StudyLimits",
    "baseline_costs",
    "costs_of",
    "digits",
    "exceeded",
    "for_throughput",
    "given_study",
    "limits_of",
    "make_placement",
    "make_plan",
    "of_study",
    "placement_of",
    "plan_of",
    "under_limits",
    "under_technology",
    "whole_splits",
]
