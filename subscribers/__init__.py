"""Who reads: accounts, signed links, and who is due."""
