"""Kernel sizing: the cheapest slots and units with which the body of a loop keeps a rate."""

from __future__ import annotations
