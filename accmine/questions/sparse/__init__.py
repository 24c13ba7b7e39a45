"""Questions about sparse dataflow accelerators."""
