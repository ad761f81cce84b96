"""What was published: the feed, its posts, their differences and the store."""
