"""Experiment files: the schema, loading with one-line errors, and writing them back."""
