"""Resends: an operator's request, who is eligible, the plan, and its execution."""
