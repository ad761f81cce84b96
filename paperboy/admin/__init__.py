"""The operators' pages: what will be sent, what became of it, and resends. They need a token from the settings."""
