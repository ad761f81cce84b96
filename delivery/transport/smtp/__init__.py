"""SMTP: the connection to a mail server, its bytes and encryption, and what a server's replies mean."""
