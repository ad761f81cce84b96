"""The pages for readers: subscribe, confirm, change, leave, and the archive."""
