"""Responses of several models to the same prompts, beside the teacher's."""
