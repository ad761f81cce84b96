"""The alarms that runs mail to the operator."""

from email import message_from_bytes, policy

from tests.support.servers.smtp import ScriptedServer

OPERATOR = "op@paperboy.example"


def alarm_subjects(server: ScriptedServer) -> list[str]:
    """The subjects of the mails to the operator, in order."""
    return [
        message_from_bytes(mail.data, policy=policy.default)["Subject"]
        for mail in server.messages
        if mail.rcpt == [OPERATOR]
    ]


def alarm_text(server: ScriptedServer) -> str:
    """The text of the first mail, with a single space for each line break."""
    body = message_from_bytes(server.messages[0].data, policy=policy.default).get_body(("plain",))
    assert body
    return " ".join(str(body.get_content()).split())
