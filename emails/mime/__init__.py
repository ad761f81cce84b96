"""A mail's bytes: header fields, encoded bodies and signatures."""
