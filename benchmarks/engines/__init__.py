"""The contestants of benchmarks/generation.py, a module each; each runs in a process of its own."""
