"""Counts how many mails go out when somebody floods the sign-up form, with the limits that are the default.

Run it with `python -m bench.sign_ups`. Ten thousand forms are sent to the running pages: first from four networks
to as many addresses as forms, then from as many networks as forms to one address.
"""

import argparse
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.processes import show
from core.schema import open_database
from core.settings import Settings
from tests.support.site import open_site

LIMITS = ("sign_ups_per_network", "sign_ups_per_domain", "sign_ups_in_all")
ACCEPTED, REFUSED = 303, 429  # HTTP statuses
THREADS = 8


def flood(title: str, forms: list[tuple[str, str]]) -> None:
    """Send the forms, each an address and the network it comes from, and print what became of them."""
    limits = {name: Settings.model_fields[name].default for name in LIMITS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = open_database(f"sqlite:///{folder}/paperboy.db")
        with open_site(database, folder, **limits) as site, ThreadPoolExecutor(THREADS) as threads:
            start = time.perf_counter()
            answers = Counter(threads.map(lambda form: site.sign_up(*form).status_code, forms))
            seconds = time.perf_counter() - start
            site.wait_until_idle()
            mails = len(site.mails())
        database.engine.dispose()
    show(
        f"{title:<34}{len(forms):>7} forms in {seconds:4.0f} s  {answers[ACCEPTED]:>6} accepted  "
        f"{answers[REFUSED]:>6} refused  {mails:>6} mails, {mails / len(forms):7.2%} of the forms"
    )


def main() -> None:
    """Print a line for each flood."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--forms", type=int, default=10_000)
    forms = range(parser.parse_args().forms)
    flood(
        "from 4 networks to many addresses",
        [(f"reader{n}@example{n % 100}.com", f"198.51.{n % 4}.{n // 4 % 250}") for n in forms],
    )
    flood(
        "from many networks to one address",
        [("minji@example.com", f"10.{n // 250}.{n % 250}.1") for n in forms],
    )


if __name__ == "__main__":
    main()
