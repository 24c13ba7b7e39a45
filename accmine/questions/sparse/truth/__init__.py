"""The loop over the true loss of a network: ask it, correct the losses, solve again."""
