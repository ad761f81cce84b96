"""By hand and by browser: the command line, the pages, the demo and its sample forum."""
