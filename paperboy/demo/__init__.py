"""`paperboy demo`: the whole pipeline with a sample forum, six subscribers and a mailbox to look at."""
