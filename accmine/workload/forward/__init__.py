"""Forward operators of layers and whole networks."""
