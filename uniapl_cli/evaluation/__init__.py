"""Measures a model on held-out prompts, and compares models and seeds."""
