"""Comparisons: methods on equal terms, and runs side by side."""
