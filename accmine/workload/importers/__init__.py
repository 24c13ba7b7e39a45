"""Model files and model configurations of others as operator graphs."""
