"""What `prefect deploy` runs before it creates the deployments: the build step that prefect.yaml names."""

from core.settings import load_settings


def read_settings() -> dict[str, object]:
    """What the schedules take from the settings. Prefect itself reads no `PAPERBOY_` setting from `.env`."""
    settings = load_settings()
    return {"time_zone": settings.timezone, "reads_inbox": settings.inbox_url is not None}
