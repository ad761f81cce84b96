"""A sample forum with invented weekly posts, for trying the program and for its tests."""
