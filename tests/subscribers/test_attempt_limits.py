"""Attempts are counted for each network and each thing that is attempted."""

from core.database import Database
from core.rate_storage import open_rate_storage
from subscribers.signup_limits import AttemptLimit


def test_the_attempts_of_one_network_at_one_thing_leave_all_others_free(database: Database) -> None:
    storage = open_rate_storage("", database)
    limit = AttemptLimit(storage, "sign in", "2 per hour; 20 per day")
    assert [limit.hit("192.0.2.0/24") for _ in range(4)] == [True, True, False, False]
    assert limit.hit("198.51.100.0/24")
    assert AttemptLimit(storage, "fetch data", "2 per hour").hit("192.0.2.0/24")
