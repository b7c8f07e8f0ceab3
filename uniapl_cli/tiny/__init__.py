"""The embedded world: a small language, its task, an oracle, a tokenizer and models of 0.2-0.5M."""
