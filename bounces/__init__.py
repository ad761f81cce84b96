"""Bounce mails: fetches, parses and classifies them, and acts on each one."""
