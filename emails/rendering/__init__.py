"""What a mail says and how it looks: wording, the page around a mail, HTML and text."""
