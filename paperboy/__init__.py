"""By hand and by browser: the command line, the pages for readers and operators, the doctor, the demo."""
