"""The training loop of every method: terms, updates, optimisers, checkpoints."""
