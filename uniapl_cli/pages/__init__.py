"""One HTML page of a study, which needs nothing beside it."""
