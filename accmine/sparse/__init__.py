"""Sparse dataflow accelerators: layers of a network as a pipeline of engines that skip zero products (HASS)."""
