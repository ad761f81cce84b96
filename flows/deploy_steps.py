"""The build steps in prefect.yaml and prefect.docker.yaml, which `prefect deploy` runs before it creates deployments."""

import os

from core.errors import PaperboyError
from core.settings import load_settings
from core.version import installed_version

FOLDER = "PROJECT_FOLDER"  # names the folder of the project on the host of the containers


def read_settings() -> dict[str, object]:
    """What the schedules take from the settings. Prefect itself reads no `PAPERBOY_` setting from `.env`."""
    settings = load_settings()
    return {"time_zone": settings.timezone, "reads_inbox": settings.inbox_url is not None}


def read_containers() -> dict[str, object]:
    """The image of this version, and the folder on the host that has `.env` and the secrets.

    Raises:
        PaperboyError: the folder is not named. A container cannot find it out by itself.
    """
    folder = os.environ.get(FOLDER, "")
    if not folder.startswith("/"):
        raise PaperboyError(f"{FOLDER} must be the path of the project's folder on the host: set it in .env")
    return {"image": f"paperboy:{installed_version()}", "folder": folder.rstrip("/")}
