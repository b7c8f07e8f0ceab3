"""One file a verb: a validated config in, a result out. The only place that sees a config."""
