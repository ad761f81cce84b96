"""What the commands do: open what they need, call the packages below, return plain values."""
