"""What `prefect deploy` runs before it creates the deployments: the build step that prefect.yaml names."""

from core.settings import load_settings


def read_time_zone() -> dict[str, str]:
    """The time zone of the settings, for the schedules. Prefect itself reads no `PAPERBOY_` setting from `.env`."""
    return {"time_zone": load_settings().timezone}
