"""Ways of searching the space of designs."""
