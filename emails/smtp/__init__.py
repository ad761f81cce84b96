"""Talking to a mail server: the wire, the dialogue, and what its answers mean."""
