"""Layers of a network over several devices, one after the other."""

from accmine.questions.sparse.devices.spread import Placed, Site, Spread, spread

__all__ = ["Placed", "Site", "Spread", "spread"]
