"""Returned mail: fetched, taken apart, and what its words and codes mean."""
