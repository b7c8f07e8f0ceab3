"""The command line: one file for each verb, no logic. torch is imported only when a verb runs."""
