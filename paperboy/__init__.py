"""By hand and by browser: the command line, the demo and its sample forum."""
