"""Ways of selecting one design per stage under shared limits."""
