"""uniapl: post-training of language models with verifiable rewards and an expert's answers."""

__version__ = "0.1.0"
