"""The paper's tables as data, what in them contradicts itself, and our figures in their layout."""
