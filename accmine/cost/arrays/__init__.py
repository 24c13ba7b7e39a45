"""Systolic arrays: cycles of products, splits over cores, grids and tiles."""
