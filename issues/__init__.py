"""What was published: the feed, its posts, how they are parsed and compared, and the store of issues."""
