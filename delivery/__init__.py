"""What the sending loop works with: outbox, turns, ledger, stock of claims, pace, breaker, progress."""
