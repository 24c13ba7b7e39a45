"""Design placement: the design of a chip and the placement of a model on many of them, decided together."""
