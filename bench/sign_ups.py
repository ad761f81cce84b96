"""How many mails go out when sign-ups flood in; run it with `PYTHONPATH=.:tests:tests/web`.

Ten thousand forms are sent to a running app with the default limits: from four networks to as many
addresses, then from as many networks to one address. Prints how many were taken and mailed.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from core.schema import open_database
from core.settings import Settings
from tests.support.site import open_site

LIMITS = ("sign_ups_per_network", "sign_ups_per_domain", "sign_ups_in_all")


def flood(title: str, forms: list[tuple[str, str]]) -> None:
    """Send the forms (address, network), and print a line."""
    limits = {name: Settings.model_fields[name].default for name in LIMITS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = open_database(f"sqlite:///{folder}/paperboy.db")
        with open_site(database, folder, **limits) as site, ThreadPoolExecutor(8) as threads:
            begin = time.perf_counter()
            answers = Counter(threads.map(lambda form: site.sign_up(*form).status_code, forms))
            taken = time.perf_counter() - begin
            site.settle()
            sys.stdout.write(
                f"{title:<36}{answers[303]:>6} taken {answers[429]:>6} refused "
                f"{len(site.mails()):>6} mails {taken:>6.0f} s\n"
            )
            sys.stdout.flush()
        database.engine.dispose()


def main() -> None:
    """Print a line for each flood."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=10_000)
    count = arguments.parse_args().count
    few = [(f"reader{n}@example{n % 100}.com", f"198.51.{n % 4}.{n // 4 % 250}") for n in range(count)]
    one = [("minji@example.com", f"10.{n // 250}.{n % 250}.1") for n in range(count)]
    flood("from 4 networks, many addresses", few)
    flood("from many networks, one address", one)


if __name__ == "__main__":
    main()
