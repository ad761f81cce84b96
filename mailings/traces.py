"""What is left of a subscriber outside the tables after they were forgotten: old bytes in files, mails in a mailbox."""

from core.database import Database, erase_traces
from core.settings import Settings
from delivery.transport.mailbox import delete_mails_to


def erase_traces_of(address: str, settings: Settings, database: Database) -> None:
    """Erase what is left of an address whose subscriber was forgotten, once that is committed."""
    delete_mails_to(settings.mailbox_dir, address)
    erase_traces(database)
