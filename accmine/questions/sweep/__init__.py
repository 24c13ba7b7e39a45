"""Sweeps: one study at many points of its keys."""
