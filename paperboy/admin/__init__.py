"""The operator's pages: what goes out, what became of it, and sending again. Behind a token from the settings."""
