"""Ways of deciding a design and a placement together."""
