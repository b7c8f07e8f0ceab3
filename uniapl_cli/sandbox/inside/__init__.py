"""What runs in a worker process. Only the standard library, and nothing of the user's."""
