"""What a mail says: editions, letters, rendering, MIME messages. Nothing here needs a database or a network."""
