"""`paperboy doctor`: checks everything that Paperboy depends on, and says what is wrong and what to do."""
