"""Monitoring of a run: health checks, reports, each term's gradient, a step's cost."""
