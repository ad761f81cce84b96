"""Simulated months: a forum with its editors, subscribers, operators, a clock and a mail server around the real pipeline.

`forum` is what the editors do, `transport` is the mail server, `expectation` says what the promises demand,
`newsletter` runs the real pipeline and compares, and `rules` is the state machine that draws histories.
"""
