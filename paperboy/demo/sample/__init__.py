"""A sample forum with invented weekly posts, for the demo and for tests."""
