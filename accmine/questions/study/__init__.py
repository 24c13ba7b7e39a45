"""The keys of a study and the catalogue."""
