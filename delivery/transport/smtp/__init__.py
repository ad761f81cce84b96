"""Talking to a mail server: the wire and its encryption, the dialogue, what its answers mean."""
