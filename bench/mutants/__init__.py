"""Changes the code at random places and tells which changes no test notices. Run it with `make mutants`."""
