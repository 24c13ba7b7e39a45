"""Ways of scheduling operators."""
