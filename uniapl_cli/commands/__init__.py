"""One file for each verb: a validated config in, a result out. Only these files read configs."""
