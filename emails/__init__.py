"""What readers get: editions, letters, rendering, messages, the outbox and sending."""
