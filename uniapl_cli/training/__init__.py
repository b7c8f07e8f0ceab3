"""The one loop, and what it loops over."""
