"""Measured operators in the place of modelled ones."""
