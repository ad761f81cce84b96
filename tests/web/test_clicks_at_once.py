"""Two clicks at once on what ends links: the first one does it, and the second one meets a link that is not valid."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from subscribers import accounts
from subscribers.models import Subscriber
from subscribers.tokens import LinkPurpose
from tests.support.lock_waits import wait_for_a_waiting_transaction
from tests.support.site import Site

OLD, NEW = "old@example.com", "new@example.com"


@pytest.mark.parametrize(
    ("purpose", "action", "address"), [(LinkPurpose.MOVE, "", NEW), (LinkPurpose.PREFERENCES, "/revoke", OLD)]
)
def test_the_second_click_is_told_that_its_link_is_not_valid_any_more(
    site: Site, purpose: LinkPurpose, action: str, address: str
) -> None:
    site.add(OLD)
    with site.database.sessions.begin() as session:
        session.get_one(Subscriber, 1).new_email = NEW
    link = site.link(purpose, OLD)
    with ThreadPoolExecutor(1) as pool:
        with site.database.sessions.begin() as session:
            subscriber = session.get_one(Subscriber, 1)
            if purpose == LinkPurpose.MOVE:
                accounts.change_address(session, subscriber, site.clock())
            else:
                accounts.revoke_links(session, subscriber, site.clock())
            session.flush()
            second = pool.submit(site.client.post, f"{link}{action}")
            wait_for_a_waiting_transaction(site.database)
        assert second.result(10).status_code == 404
    with site.database.sessions() as session:
        changes = [event.what for event in session.get_one(Subscriber, 1).events]
        assert session.get_one(Subscriber, 1).email == address
    assert len([what for what in changes if what in {"moved", "links revoked"}]) == 1
