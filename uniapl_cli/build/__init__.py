"""The composition root: the one place where a config becomes objects."""
