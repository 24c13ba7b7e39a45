"""Technologies: area and power of a design, and the files they come from."""
