"""Simulated months: a forum with its editors, subscribers, operators, a clock and a mail server around the real pipeline.

`forum` is what the editors do, `people` what subscribers do and `operators` what operators do. `transport` is the mail
server. `newsletter` runs the real pipeline, `expectation` says what the promises demand, and `checks` compares. `machine`
is the state machine without rules, the `…_rules` are its rules, and `histories` draws what happens.
"""
