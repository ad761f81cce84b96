"""The `paperboy` command: one module for each group of commands.

The modules import only what parsing the command line needs. A command imports the rest when it runs, so that
`--help` and a wrong option are answered at once.
"""
