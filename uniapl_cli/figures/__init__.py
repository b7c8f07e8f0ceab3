"""Charts of runs, analyses and tables. Draws what it is given; computes nothing."""
