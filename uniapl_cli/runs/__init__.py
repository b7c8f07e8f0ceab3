"""A run's directory, the record of its environment, and its output on the console."""
