"""The pages for readers: subscribe, confirm, change, unsubscribe, and the archive."""
