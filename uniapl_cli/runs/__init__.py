"""The run directory, its environment record and what a person sees of a run."""
