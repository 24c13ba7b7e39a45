"""Solvers of device placements."""
