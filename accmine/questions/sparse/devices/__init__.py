"""Layers of a network over several devices, one after the other."""

from accmine.questions.sparse.devices.cuts import spread
from accmine.questions.sparse.devices.record import Placed, Site, Spread

__all__ = ["Placed", "Site", "Spread", "spread"]
