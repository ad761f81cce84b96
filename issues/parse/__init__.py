"""From a weekly post's HTML to an issue: outline, labels, texts, titles, checks. Everything here is pure."""
