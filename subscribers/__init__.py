"""Who reads: accounts, audience, signed tokens, sign-up limits, import and export."""
