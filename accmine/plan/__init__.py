"""A study made concrete: graphs, stages, groups of devices, limits."""
