"""Who reads: accounts, signed links, limits, who is due, import and export."""
