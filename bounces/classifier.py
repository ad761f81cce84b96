"""Classifies mails without a machine-readable report: bounce, auto-reply, complaint or ordinary mail. Pure.

The patterns cover the usual phrases of mail servers and mail programs in English, Korean, Japanese, Chinese
and several European languages.
"""

import re

from bounces.mime_parser import ParsedMail, field_values
from bounces.plaintext_parser import BounceText
from delivery.status_codes import mentions_failure

_MAX_TEXT_CHARS = 20_000  # characters of subject and text that are searched for a failure
_COMPLAINT_CHARS = 500  # a complaint says so in the first characters of its text

_SERVER_SENDER = re.compile(
    r"mailer[-_ ]?daemon|mail[-_ ]?daemon|maildaemon|\bmdaemon|post[-_]?master|interscan|mail ?marshal|mail ?sweeper|surf ?control|mail ?delivery|delivery (?:sub)?system|"
    r"mail (?:system|administrator|transport|server)|system administrator|(?:mail|system)[-_.]?admin|mail[-_]?delivery|"
    r"microsoft exchange|exchange(?:_| )?administrator|\bsmtp\d?@|bounce(?:s|d)?[@+-]|mail[-_]?router|undeliver|internet mail|"
    r"returned?[-_]?mail|mmdf|\bpmdf|mail_system|delivery[-_]?(?:status|failure|report)|메일 ?(?:시스템|서버|관리)|メール.{0,6}(?:システム|配信)",
    re.IGNORECASE,
)
_NO_REPLY_SENDER = re.compile(r"no-?_?reply|do-?not-?reply|daemon@|system@|server@|notif", re.IGNORECASE)
_BOUNCE_SUBJECT = re.compile(
    r"(?:undeliver|\[bounce\]|error sending|unable to deliver|un-?delivered|nondeliver|non-?delivery|not (?:be )?delivered|delivery (?:has )?(?:failed|failure|problem|error|report|status|unsuccessful|delay|notif|incomplete)|"
    r"deliver(?:y|ed)?[^a-z]{0,3}(?:failure|fail)|failure notice|failed (?:mail|delivery|message|to deliver)|failure delivery|returned (?:mail|message|to sender)|"
    r"mail (?:delivery|returned|failure|error|could|system error|status report)|mail.{0,12}(?:failed|failure|undeliverable)|(?:could|can) ?not (?:be )?(?:deliver|send|sent)|couldn.t (?:be )?deliver|"
    r"(?:message|e-?mail) (?:status|not|could|delivery|you sent|delayed|rejected)|bounced? (?:mail|message)|unknown (?:user|recipient|address)|user unknown|"
    r"warning: (?:could not|message)|delivery reports? about|permanent (?:delivery )?(?:fail|error)|transient|rejected|invalid (?:address|recipient)|unzustellbar|non remis|non recapitabile|no se (?:pudo|puede) entregar|fehlgeschlagen|échec|falha|"
    r"반송|전송 ?(?:실패|불가|결과|지연)|발송 ?(?:실패|불가)|배달|전달[^ ]{0,3} ?(?:실패|되지|못)|보낸 ?메일|수신 ?실패|配信|送信.{0,4}(?:エラー|失敗|でき)|届け|不達|エラー|退信|投递|系统退信|невозможно|не доставлено|недоставлен)",
    re.IGNORECASE,
)
_FAILURE = re.compile(
    r"(?:(?:could|can|was|were|has|have|been|is|are|did|will) ?n[o']t?t? ?(?:be |been )?(?:able to (?:be )?)?(?:deliver|reach|sen[dt]\b|process|find|complete)|undeliver|not delivered|un(?:able|successful)[^.]{0,20} (?:to )?deliver|unable to (?:send|reach)|"
    r"delivery (?:to|of|attempt|has|failed|failure|status|problem)|failed (?:to|permanently|recipient|address|delivery)|fail(?:ed|ure)|fatal errors?|returned (?:to (?:you|sender)|mail|message|because|by)|rejected|refused|bounced|"
    r"user unknown|unknown user|no such (?:user|recipient)|mailbox (?:full|unavailable)|over quota|does not exist|problems?\b|errors?\b|반송|실패|못했|않았|없습니다|초과|エラー|でき(?:ません|なかった)|届きません|存在しません|失敗|退|无法|失败|не (?:может|удалось)|nicht zugestellt|n.a pas pu|non è stato|no (?:se )?pud)",
    re.IGNORECASE,
)
_DELAY = re.compile(
    r"(?:delivery (?:has been |is |was )?delayed|delayed (?:mail|delivery)|message delayed|warning message only|has not (?:yet )?been delivered|not (?:yet )?been (?:able|delivered)|(?:not need|no need|don.t have|do not have) to resend|"
    r"will (?:be )?(?:continue|keep|retr|re-?attempt|try again|continue to (?:try|be))|(?:still|continuing) (?:trying|to be tried)|will continue|still (?:being )?(?:retried|undelivered|in (?:the )?queue)|delivery status notification \(delay\)|warning: (?:could not send|message)|temporarily (?:unable|delayed)|delivery (?:attempts )?will continue|"
    r"지연|재시도|다시 시도(?:할|하겠|합)|遅延|再送(?!信?して))",
    re.IGNORECASE,
)
_GAVE_UP = re.compile(
    r"(?:giv(?:en|ing) up|gave up|permanent(?:ly)?\b|fatal|will not (?:be )?(?:retr|try)|no (?:further|more) (?:attempts|tries)|has been returned|could not be delivered to one or more|delivery failed|failed permanently|final|address is wrong)",
    re.IGNORECASE,
)
_AUTO_REPLY_SUBJECT = re.compile(
    r"\s*(?:\[?auto(?:matic|mated)?[-: ]?\s?(?:reply|response|responder|antwort|acknowledg\w+)|autoreply|auto\b|out of (?:the )?office|\(?ooo\)?\b|on (?:vacation|leave|holiday)|away from|vacation|holiday|absen[ct]|abwesen|automatische antwort|réponse automatique|respuesta autom|risposta autom|fuera de|i am (?:away|out)|i'm (?:away|out)|"
    r"부재|자동 ?(?:응답|회신|답장)|휴가|\[?부재중|自動(?:返信|応答|回复)|不在|休暇|自动回复|автоответ|thank you for (?:contacting|your (?:e-?mail|message)))",
    re.IGNORECASE,
)
# Challenge-response systems ask the sender to prove that they are human before they deliver a mail.
_CHALLENGE_SUBJECT = re.compile(
    r"(?:confirm (?:your|that you)|verify (?:your|that you|you are)|human|challenge|spam ?arrest|boxbe)",
    re.IGNORECASE,
)
_REPLY_PREFIX = re.compile(r"\s*(?:re|fwd?|aw|wg|tr|sv|답장|회신|전달)\s*(?:\[\d+\])?\s*:", re.IGNORECASE)
_COMPLAINT = re.compile(
    r"(?:e-?mail abuse report|complaint about (?:message|your)|spam (?:report|complaint)|abuse report|reported as spam)",
    re.IGNORECASE,
)


def is_from_mail_server(mail: ParsedMail) -> bool:
    """Whether a mail server wrote the mail. RFC 3464, 2 requires an empty return path of its reports."""
    senders = mail.values("from", "return-path", "sender", "x-mailer")
    return "<>" in mail.values("return-path") or any(_SERVER_SENDER.search(sender) for sender in senders)


def is_plaintext_bounce(mail: ParsedMail, bounce_text: BounceText) -> bool:
    """Whether a mail without a delivery report says in its text that a mail was not delivered."""
    subject = mail.value("subject")
    if mail.values("x-failed-recipients"):  # Exim and Gmail name the recipients in this field
        return True
    if not _FAILURE.search(f"{subject}\n{bounce_text.text}"[:_MAX_TEXT_CHARS]):
        return False
    if _REPLY_PREFIX.match(subject) and not is_from_mail_server(mail):
        return False  # a person replies to a bounce, or writes about one
    if mail.report_type == "delivery-status" or "qmail-send program" in bounce_text.text:
        return True
    if is_from_mail_server(mail):
        has_bounce_subject = bool(_BOUNCE_SUBJECT.search(subject))
        return has_bounce_subject or (not is_auto_reply(mail) and mentions_failure(bounce_text.text))
    # The sender is unknown, so all signs must agree: the subject and the text of a bounce, and either an
    # enclosed original mail or a sender that takes no replies.
    is_automatic = mail.original_header or _NO_REPLY_SENDER.search(mail.value("from"))
    return bool(_BOUNCE_SUBJECT.search(subject) and is_automatic and mentions_failure(bounce_text.text))


def is_auto_reply(mail: ParsedMail) -> bool:
    """Whether a program replied for a person, by RFC 3834 or by the conventions before it."""
    if mail.value("auto-submitted").lower().startswith("auto-replied"):
        return True
    if mail.values(
        "x-autoreply",
        "x-autorespond",
        "x-autoreply-from",
        "x-auto-reply",
        "x-auto-response",
        "x-mail-autoreply",
    ):
        return True
    if "auto_reply" in mail.value("precedence").lower() or "vacation" in mail.value("x-mailer").lower():
        return True
    subject = mail.value("subject")
    without_prefix = _REPLY_PREFIX.sub("", subject, count=1)
    is_challenge = is_from_mail_server(mail) and _CHALLENGE_SUBJECT.search(subject)
    return bool(_AUTO_REPLY_SUBJECT.match(without_prefix) or is_challenge)


def is_plaintext_complaint(mail: ParsedMail, bounce_text: BounceText) -> bool:
    """Whether a mail is a complaint of a provider that sends no feedback report (RFC 5965).

    Such a provider forwards the original mail with a line of explanation.
    """
    if field_values(mail.original_header, "x-hmxmroriginalrecipient"):  # the field of Hotmail's complaints
        return True
    beginning = f"{mail.value('subject')}\n{bounce_text.text[:_COMPLAINT_CHARS]}"
    return bool(
        mail.original_header
        and not mail.delivery_reports
        and _COMPLAINT.search(beginning)
        and not _REPLY_PREFIX.match(mail.value("subject"))
    )


def is_plaintext_delay(subject: str, text: str) -> bool:
    """Whether a server says that it has not delivered a mail yet and keeps trying."""
    subject_and_text = f"{subject}\n{text}"
    return bool(_DELAY.search(subject_and_text)) and not _GAVE_UP.search(subject_and_text)
