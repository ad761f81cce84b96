"""The root of all errors that Paperboy raises on purpose. The command line catches it, and prints its message.

PaperboyError
├── RunFailedError            core.errors
├── DatabaseError             core.database
├── SettingsError             core.settings
├── FeedError                 issues.fetch
│   └── GoneError             issues.fetch
├── StoreError                issues.store
├── TextError                 issues.parse.text
├── AccountError              subscribers.addresses
├── CsvError                  subscribers.csv_files
├── TokenError                subscribers.tokens
│   ├── ExpiredTokenError     subscribers.tokens
│   └── NobodysLinkError      paperboy.web.deps
├── DkimKeyError              emails.mime.dkim_signing
├── EmptyIssueError           emails.edition
├── RenderError               emails.rendering.render
├── SendError                 delivery.transport.base
│   └── SmtpError             delivery.transport.smtp.replies
├── SmtpUrlError              delivery.transport.smtp.server
├── UnrenderedMailError       mailings.next_mail
├── ResendError               mailings.resend.request
├── InboxError                bounces.inbox
├── ProbeError                bounces.probe
├── SetupError                flows.set_up
├── NotSignedInError          paperboy.admin.auth
└── ForbiddenActionError      paperboy.admin.auth
"""


class PaperboyError(Exception):
    """An error that a person can do something about. Its message has one line for each mistake."""


class RunFailedError(PaperboyError):
    """A run has ended but counts as failed. The message says what to correct."""
