"""What readers get: editions, rendering, messages, the outbox and sending."""
