"""Files to files, before and after training: teach, filter, pair, score, inspect."""
