"""vLLM servers of the models that an experiment names: their folders, commands and processes."""
