"""What the sending loop works with: the outbox, the ledger, the stock of claims, its pace and its breaker."""
