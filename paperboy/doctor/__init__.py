"""`paperboy doctor`: looks at all that Paperboy stands on, and says what is wrong and what to do."""
