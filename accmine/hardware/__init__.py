"""Hardware: designs, templates and their spaces, technologies, and the catalogue of accelerators."""
