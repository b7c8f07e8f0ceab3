"""What a run takes, before it is begun: memory by part, seconds, disk. Nothing is computed."""
