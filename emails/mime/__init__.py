"""A mail as bytes: header fields, encoded bodies and DKIM signatures."""
