"""A digest during a warm-up: its report says how many mails wait and why, and upkeep sends them day by day."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from core.database import Database
from core.frequencies import Frequency
from core.languages import TextLanguage
from delivery.context import SendingLimits
from delivery.queries import refusals_of_slot
from delivery.report import DigestReport
from delivery.warm_up import WarmUp
from mailings.digest_run import run_digest
from mailings.resend.execute import execute
from mailings.resend.request import ResendGroup, ResendRequest
from mailings.upkeep import UpkeepReport, run_upkeep
from monitoring.overview import overview_sentences, read_overview
from monitoring.run_summaries import digest_summary
from tests.support.account_actions import publish, subscribe
from tests.support.factories import RULES, sending_context_at
from tests.support.outbox import recipients, states
from tests.support.resends import planned
from tests.support.servers.smtp import ScriptedServer

SEOUL = ZoneInfo("Asia/Seoul")
MORNING = datetime(2025, 8, 11, 8, 0, tzinfo=SEOUL)  # a Monday
LIMITS = SendingLimits(connections=2, warm_up=WarmUp(date(2025, 8, 11), 2, SEOUL))
DAY = timedelta(days=1)
WAITING = "3 wait for the warm-up of Gmail: 2 mails a day now"


def digest(
    database: Database,
    server: ScriptedServer,
    frequency: Frequency = Frequency.WEEKLY,
    now: datetime = MORNING,
) -> DigestReport:
    """Run a digest in the warm-up."""
    with sending_context_at(database, server, now, limits=LIMITS) as context:
        report = run_digest(context, frequency, local_now=now, rules=RULES)
    assert report.balances
    return report


def upkeep(database: Database, server: ScriptedServer, now: datetime) -> UpkeepReport:
    """Run upkeep in the warm-up."""
    with sending_context_at(database, server, now, limits=LIMITS) as context:
        report = run_upkeep(context, local_now=now, rules=RULES)
    assert report.fault == ""
    return report


def test_the_report_says_how_many_mails_wait_for_which_provider(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, *(f"{name}@gmail.com" for name in "abcde"), *(f"{name}@daum.net" for name in "fgh"))
    subscribe(database, "minji@univ.ac.kr")
    report = digest(database, server)
    assert (report.candidates, report.sent, report.planned, report.fault) == (9, 5, 4, "")
    assert report.warm_up == [WAITING, "1 wait for the warm-up of Kakao: 2 mails a day now"]
    assert report.line().endswith("4 planned; " + "; ".join(report.warm_up))
    with database.sessions() as session:
        assert f"\n- {WAITING}\n" in digest_summary(report, refusals_of_slot(session, report.slot), "")
        overview = read_overview(session, MORNING, LIMITS.warm_up)
    assert f"5 of 9 sent, 4 planned, {WAITING}, 1 wait" in overview_sentences(overview, TextLanguage.EN)[0]
    korean = overview_sentences(overview, TextLanguage.KO)[0]
    assert "Gmail 워밍업으로 3통 대기(지금은 하루 2통)" in korean


def test_upkeep_sends_the_rest_on_the_next_morning_and_says_what_still_waits(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, *(f"reader{number}@gmail.com" for number in range(10)))
    digest(database, server)
    same_day = upkeep(database, server, MORNING + timedelta(hours=1)).retries
    assert (same_day.candidates, same_day.warm_up) == (
        0,
        ["8 wait for the warm-up of Gmail: 2 mails a day now"],
    )
    next_day = upkeep(database, server, MORNING + DAY).retries
    assert (next_day.sent, next_day.warm_up) == (3, ["5 wait for the warm-up of Gmail: 3 mails a day now"])
    for days in (2, 3):
        last = upkeep(database, server, MORNING + days * DAY)
    assert last.retries.warm_up == []
    assert sorted(recipients(server)) == sorted(f"reader{number}@gmail.com" for number in range(10))


def test_a_daily_subscriber_whose_mail_waits_gets_the_mails_one_after_the_other(
    database: Database, server: ScriptedServer
) -> None:
    publish(database, 6)
    addresses = [f"reader{number}@gmail.com" for number in range(4)]
    subscribe(database, *addresses, frequency=Frequency.DAILY)
    digest(database, server, Frequency.DAILY)
    second = digest(database, server, Frequency.DAILY, MORNING + DAY)
    assert second.reasons["an earlier mail is still under way"] == 2
    for days in range(1, 8):
        upkeep(database, server, MORNING + days * DAY + timedelta(minutes=1))
        digest(database, server, Frequency.DAILY, MORNING + (days + 1) * DAY)
    mails = [message.data for message in server.messages if message.rcpt == [addresses[-1]]]
    assert len(mails) == len(set(mails)) == 3, "two papers in each mail, and none twice"
    assert set(states(database)) == {"sent"}


def test_copies_wait_as_digests_do(database: Database, server: ScriptedServer) -> None:
    publish(database)
    subscribe(database, *(f"reader{number}@gmail.com" for number in range(2)))
    digest(database, server)
    with sending_context_at(database, server, MORNING + timedelta(hours=1), limits=LIMITS) as context:
        request = ResendRequest(issue="2025-07-28", groups=(ResendGroup.EVERYONE,), reason="a trial")
        plan = planned(database, request, MORNING + timedelta(hours=1))
        report = execute(context, plan, asked_by="a test", rules=RULES, now=MORNING + timedelta(hours=1))
    assert (report.sent, report.warm_up) == (0, ["2 wait for the warm-up of Gmail: 2 mails a day now"])
