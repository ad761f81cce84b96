"""How messages leave: the protocol of a transport, and SMTP as its implementation."""
