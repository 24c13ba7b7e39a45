"""What users write: documents whose values know their line, units, the catalogue."""
