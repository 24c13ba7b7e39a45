"""Runs that take several: two objectives, and the regret over mixes of workloads."""
