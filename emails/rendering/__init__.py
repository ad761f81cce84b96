"""From an edition or a letter to a mail's subject, HTML and text: views, templates, phrases, and making it fit."""
