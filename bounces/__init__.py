"""Bounce mails: how they are fetched, parsed and classified, and what is done about each of them."""
