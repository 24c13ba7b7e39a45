"""Training steps against measured ones."""
