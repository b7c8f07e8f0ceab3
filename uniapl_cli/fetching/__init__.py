"""Fetches models and data: pinned, checked, going on where it was interrupted."""

from uniapl_cli.fetching.catalogue import MODELS, TEACHERS, TRAINING
from uniapl_cli.fetching.fetch import Fetched, fetch
from uniapl_cli.fetching.record import Records
from uniapl_cli.fetching.web import AccessDenied, Web

__all__ = ["MODELS", "TEACHERS", "TRAINING", "AccessDenied", "Fetched", "Records", "Web", "fetch"]
