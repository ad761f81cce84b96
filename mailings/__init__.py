"""The use cases: intake of posts, digest runs, account mails, resends, upkeep, and what follows a restored backup."""
