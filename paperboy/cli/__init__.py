"""The commands of `paperboy`, by what they are about."""
