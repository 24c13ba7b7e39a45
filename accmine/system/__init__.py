"""Devices together: clusters, pipeline schedules and their timelines."""
