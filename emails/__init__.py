"""What readers get: editions, letters, digests, messages, sending, resends, returned mail."""
