"""Tells reports in words from holiday notices, complaints and ordinary mails. Pure."""

import re

from bounces.mime_parser import Unpacked, values
from bounces.plaintext_parser import Notice
from bounces.status_codes import tells_of_failure

_SERVER = re.compile(
    r"mailer[-_ ]?daemon|mail[-_ ]?daemon|maildaemon|\bmdaemon|post[-_]?master|interscan|mail ?marshal|mail ?sweeper|surf ?control|mail ?delivery|delivery (?:sub)?system|"
    r"mail (?:system|administrator|transport|server)|system administrator|(?:mail|system)[-_.]?admin|mail[-_]?delivery|"
    r"microsoft exchange|exchange(?:_| )?administrator|\bsmtp\d?@|bounce(?:s|d)?[@+-]|mail[-_]?router|undeliver|internet mail|"
    r"returned?[-_]?mail|mmdf|\bpmdf|mail_system|delivery[-_]?(?:status|failure|report)|메일 ?(?:시스템|서버|관리)|メール.{0,6}(?:システム|配信)",
    re.IGNORECASE,
)
_NOBODY = re.compile(r"no-?_?reply|do-?not-?reply|daemon@|system@|server@|notif", re.IGNORECASE)
_SUBJECT = re.compile(
    r"(?:undeliver|\[bounce\]|error sending|unable to deliver|un-?delivered|nondeliver|non-?delivery|not (?:be )?delivered|delivery (?:has )?(?:failed|failure|problem|error|report|status|unsuccessful|delay|notif|incomplete)|"
    r"deliver(?:y|ed)?[^a-z]{0,3}(?:failure|fail)|failure notice|failed (?:mail|delivery|message|to deliver)|failure delivery|returned (?:mail|message|to sender)|"
    r"mail (?:delivery|returned|failure|error|could|system error|status report)|mail.{0,12}(?:failed|failure|undeliverable)|(?:could|can) ?not (?:be )?(?:deliver|send|sent)|couldn.t (?:be )?deliver|"
    r"(?:message|e-?mail) (?:status|not|could|delivery|you sent|delayed|rejected)|bounced? (?:mail|message)|unknown (?:user|recipient|address)|user unknown|"
    r"warning: (?:could not|message)|delivery reports? about|permanent (?:delivery )?(?:fail|error)|transient|rejected|invalid (?:address|recipient)|unzustellbar|non remis|non recapitabile|no se (?:pudo|puede) entregar|fehlgeschlagen|échec|falha|"
    r"반송|전송 ?(?:실패|불가|결과|지연)|발송 ?(?:실패|불가)|배달|전달[^ ]{0,3} ?(?:실패|되지|못)|보낸 ?메일|수신 ?실패|配信|送信.{0,4}(?:エラー|失敗|でき)|届け|不達|エラー|退信|投递|系统退信|невозможно|не доставлено|недоставлен)",
    re.IGNORECASE,
)
_FAILED = re.compile(
    r"(?:(?:could|can|was|were|has|have|been|is|are|did|will) ?n[o']t?t? ?(?:be |been )?(?:able to (?:be )?)?(?:deliver|reach|sen[dt]\b|process|find|complete)|undeliver|not delivered|un(?:able|successful)[^.]{0,20} (?:to )?deliver|unable to (?:send|reach)|"
    r"delivery (?:to|of|attempt|has|failed|failure|status|problem)|failed (?:to|permanently|recipient|address|delivery)|fail(?:ed|ure)|fatal errors?|returned (?:to (?:you|sender)|mail|message|because|by)|rejected|refused|bounced|"
    r"user unknown|unknown user|no such (?:user|recipient)|mailbox (?:full|unavailable)|over quota|does not exist|problems?\b|errors?\b|반송|실패|못했|않았|없습니다|초과|エラー|でき(?:ません|なかった)|届きません|存在しません|失敗|退|无法|失败|не (?:может|удалось)|nicht zugestellt|n.a pas pu|non è stato|no (?:se )?pud)",
    re.IGNORECASE,
)
_DELAYED = re.compile(
    r"(?:delivery (?:has been |is |was )?delayed|delayed (?:mail|delivery)|message delayed|warning message only|has not (?:yet )?been delivered|not (?:yet )?been (?:able|delivered)|(?:not need|no need|don.t have|do not have) to resend|"
    r"will (?:be )?(?:continue|keep|retr|re-?attempt|try again|continue to (?:try|be))|(?:still|continuing) (?:trying|to be tried)|will continue|still (?:being )?(?:retried|undelivered|in (?:the )?queue)|delivery status notification \(delay\)|warning: (?:could not send|message)|temporarily (?:unable|delayed)|delivery (?:attempts )?will continue|"
    r"지연|재시도|다시 시도(?:할|하겠|합)|遅延|再送)",
    re.IGNORECASE,
)
_FINAL = re.compile(
    r"(?:giv(?:en|ing) up|gave up|permanent(?:ly)?\b|fatal|will not (?:be )?(?:retr|try)|no (?:further|more) (?:attempts|tries)|has been returned|could not be delivered to one or more|delivery failed|failed permanently|final)",
    re.IGNORECASE,
)
_AUTO_SUBJECT = re.compile(
    r"\s*(?:\[?auto(?:matic|mated)?[-: ]?\s?(?:reply|response|responder|antwort|acknowledg\w+)|autoreply|auto\b|out of (?:the )?office|\(?ooo\)?\b|on (?:vacation|leave|holiday)|away from|vacation|holiday|absen[ct]|abwesen|automatische antwort|réponse automatique|respuesta autom|risposta autom|fuera de|i am (?:away|out)|i'm (?:away|out)|"
    r"부재|자동 ?(?:응답|회신|답장)|휴가|\[?부재중|自動(?:返信|応答|回复)|不在|休暇|自动回复|автоответ|thank you for (?:contacting|your (?:e-?mail|message)))",
    re.IGNORECASE,
)
_CHALLENGE = re.compile(
    r"(?:confirm (?:your|that you)|verify (?:your|that you|you are)|human|challenge|spam ?arrest|boxbe)",
    re.IGNORECASE,
)
_ANSWER = re.compile(r"\s*(?:re|fwd?|aw|wg|tr|sv|답장|회신|전달)\s*(?:\[\d+\])?\s*:", re.IGNORECASE)
_COMPLAINT = re.compile(
    r"(?:e-?mail abuse report|complaint about (?:message|your)|spam (?:report|complaint)|abuse report|reported as spam)",
    re.IGNORECASE,
)


def is_from_server(mail: Unpacked) -> bool:
    """Whether a mail server wrote it: RFC 3464, 2 demands an empty return path."""
    senders = mail.values("from", "return-path", "sender", "x-mailer")
    return "<>" in mail.values("return-path") or any(_SERVER.search(sender) for sender in senders)


def is_bounce_in_words(mail: Unpacked, notice: Notice) -> bool:
    """Whether a mail without parts for programs tells of a mail that was not delivered."""
    subject = mail.value("subject")
    if mail.values("x-failed-recipients"):
        return True
    if not _FAILED.search(f"{subject}\n{notice.text}"[:20_000]):
        return False
    if _ANSWER.match(subject) and not is_from_server(mail):
        return False
    if mail.report_type == "delivery-status" or "qmail-send program" in notice.text:
        return True
    if is_from_server(mail):
        return bool(_SUBJECT.search(subject)) or (not is_auto_reply(mail) and tells_of_failure(notice.text))
    # Whoever it is from: the subject and the words of a server, and a mail returned, or nobody to answer.
    is_machine = mail.original or _NOBODY.search(mail.value("from"))
    return bool(_SUBJECT.search(subject) and is_machine and tells_of_failure(notice.text))


def is_auto_reply(mail: Unpacked) -> bool:
    """Whether a program answers for a person: RFC 3834, and what came before it."""
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
    plain = _ANSWER.sub("", subject, count=1)
    return bool(_AUTO_SUBJECT.match(plain) or (is_from_server(mail) and _CHALLENGE.search(subject)))


def is_complaint_in_words(mail: Unpacked, notice: Notice) -> bool:
    """Complaints of providers that write no feedback report: the mail, forwarded, with a line about it."""
    if values(mail.original, "x-hmxmroriginalrecipient"):
        return True
    head = f"{mail.value('subject')}\n{notice.text[:500]}"
    return bool(
        mail.original
        and not mail.reports
        and _COMPLAINT.search(head)
        and not _ANSWER.match(mail.value("subject"))
    )


def is_delay_in_words(subject: str, notice: str) -> bool:
    """Whether a server says that it goes on trying."""
    text = f"{subject}\n{notice}"
    return bool(_DELAYED.search(text)) and not _FINAL.search(text)
