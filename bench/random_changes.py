"""Changes that many readers make all the time, drawn at random: they pause, switch, leave, come back, move and join."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.database import Database
from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from mailings import account_mails
from mailings.context import MailingRules
from subscribers import accounts
from subscribers.addresses import AccountError
from subscribers.models import Subscriber
from subscribers.status import SubscriberStatus
from subscribers.suppression import suppress, unsuppress
from tests.support.factories import IDENTITY
from tests.support.servers.smtp_sink import UNKNOWN

RULES = MailingRules(quiet_period=timedelta(minutes=30), daily_papers=2, repeat_uncertain=True)


@dataclass
class Readers:
    """Everybody who reads, and the changes that they make. `now` is about when, in the time of the soak."""

    database: Database
    random: Random
    now: datetime
    emails: list[str] = field(default_factory=list)
    changes: Counter[str] = field(default_factory=Counter)

    def change_until(self, is_over: threading.Event, per_second: int) -> None:
        """Make changes at an even rate until the event is set."""
        next_at = time.monotonic()
        while not is_over.wait(max(next_at - time.monotonic(), 0)):
            next_at += 1 / per_second
            self.change()

    def change(self) -> None:
        """One reader makes one change. One that is not possible for them is counted as refused."""
        what = self.random.choice(list(_CHANGES))
        try:
            if what == "join":
                self.join()
                return
            with self.database.sessions.begin() as session:
                reader = accounts.find(session, self.random.choice(self.emails))
                if reader is None:
                    return
                before = reader.cursor
                _CHANGES[what](self, session, reader)
                session.flush()
                self._note_start(session, reader, before)
            self.changes[what] += 1
        except AccountError:
            self.changes["refused"] += 1

    def join(self) -> None:
        """Somebody new joins."""
        number = len(self.emails)
        name = UNKNOWN if number % 30 == 0 else "reader"
        email = f"{name}{number}@example{number % 20}.com"
        with self.database.sessions.begin() as session:
            reader = self._begin(session, email)
            self._note_start(session, reader, 0)
        self.emails.append(email)
        self.changes["join"] += 1

    def _begin(self, session: Session, email: str) -> Subscriber:
        reader = accounts.sign_up(
            session,
            email,
            language=self.random.choice(list(Language)),
            frequency=self.random.choice(list(Frequency)),
            detail=self.random.choice(list(Detail)),
            now=self.now,
        )
        if reader.status != SubscriberStatus.ACTIVE:
            account_mails.confirm(session, reader, IDENTITY, RULES, self.now, origin="the soak")
        return reader

    def _note_start(self, session: Session, reader: Subscriber, before: int) -> None:
        """Note how far a subscription that begins leaves papers out. A welcome that came with it leaves none out."""
        begins = reader.cursor  # as the account's function set it; planning moves only the row
        if begins > before:
            row = {"reader": reader.id, "before": before, "start": begins}
            session.execute(text("INSERT INTO soak_starts VALUES (:reader, :before, :start)"), row)

    # --- the changes ----------------------------------------------------------------

    def pause(self, _: Session, reader: Subscriber) -> None:
        """Pause."""
        accounts.pause(reader, self.now)

    def resume(self, _: Session, reader: Subscriber) -> None:
        """Resume."""
        accounts.resume(reader, self.now)

    def switch(self, session: Session, reader: Subscriber) -> None:
        """Switch the language, the frequency, the detail, or several of them."""
        language = self.random.choice([None, *Language])
        frequency = self.random.choice([None, *Frequency])
        detail = self.random.choice([None, *Detail])
        accounts.change(session, reader, self.now, language=language, frequency=frequency, detail=detail)

    def leave(self, session: Session, reader: Subscriber) -> None:
        """Leave, with a farewell."""
        account_mails.unsubscribe(session, reader, IDENTITY, self.now, origin="the soak")

    def undo(self, session: Session, reader: Subscriber) -> None:
        """Take the leave back."""
        accounts.undo_unsubscribe(session, reader, self.now)

    def sign_up_again(self, session: Session, reader: Subscriber) -> None:
        """Come back through the form."""
        self._begin(session, reader.email)

    def suppress(self, session: Session, reader: Subscriber) -> None:
        """Become suppressed, as after a bounce."""
        suppress(session, reader.email, "the soak", self.now)

    def unsuppress(self, session: Session, reader: Subscriber) -> None:
        """Have the suppression lifted, and go on as before."""
        unsuppress(session, reader.email, self.now)

    def move(self, session: Session, reader: Subscriber) -> None:
        """Move to another address."""
        old, new = reader.email, f"moved{self.random.randrange(10**9)}@example{reader.id % 20}.com"
        accounts.request_address_change(session, reader, new, self.now)
        accounts.change_address(session, reader, self.now)
        session.flush()
        self.emails[self.emails.index(old)] = new


_CHANGES: dict[str, Callable[[Readers, Session, Subscriber], None]] = {
    "pause": Readers.pause,
    "resume": Readers.resume,
    "switch": Readers.switch,
    "leave": Readers.leave,
    "undo": Readers.undo,
    "sign up again": Readers.sign_up_again,
    "suppress": Readers.suppress,
    "unsuppress": Readers.unsuppress,
    "move": Readers.move,
    "join": lambda readers, _session, _reader: readers.join(),
}
