"""Returned mail: fetched, taken apart, and read."""
