"""Checks the Prefect server through its HTTP API: deployments, schedules, workers and late runs.

The package `prefect` is not imported. That would take over a second, and only the flows may import it.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from core.unknown_settings import read_env_file
from monitoring.findings import Finding, failed, ok, warning
from paperboy.doctor.tls import tls_context

NAME = "Prefect"
TIMEOUT_SECONDS = 5  # for one request
_SET_UP = "paperboy prefect-setup"


def check(
    prefect_settings: Mapping[str, str], file: Path, timezone: str, *, reads_inbox: bool
) -> Iterator[Finding]:
    """Compare what the server has with the deployments in `file` (prefect.yaml).

    A schedule whose `active` is a setting is expected only if `reads_inbox`.
    """
    url = prefect_settings.get("PREFECT_API_URL", "")
    if not url:
        remedy = "set it in .env if Prefect is to run Paperboy: see docs/operating.md"
        yield warning(NAME, "PREFECT_API_URL is not set, so nothing runs on a schedule", remedy)
        return
    shown = re.sub(r"//[^/@]*@", "//", url)  # it can have a password
    with httpx.Client(
        base_url=url,
        timeout=TIMEOUT_SECONDS,
        headers=_headers(prefect_settings),
        auth=_auth(prefect_settings),
        verify=tls_context(),
    ) as api:
        try:
            if _request(api, "GET", "/health") is None:
                problem = f"{shown} is not a Prefect API"
                yield failed(NAME, problem, "correct PREFECT_API_URL, which must end in /api")
            else:
                yield ok(NAME, f"{shown} answers")
                yield from _check_deployments(api, file, timezone, reads_inbox)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            problem = f"{shown} does not answer: {str(error) or type(error).__name__}"
            yield failed(NAME, problem, "start it with `prefect server start`, or see its log")


def load_prefect_settings() -> dict[str, str]:
    """Prefect's own settings, from where Prefect reads them: environment, `.env` and the active profile."""
    variables = {**read_env_file(), **os.environ}
    profile = _active_profile(
        Path(variables.get("PREFECT_HOME", "~/.prefect")).expanduser() / "profiles.toml"
    )
    names = ("PREFECT_API_URL", "PREFECT_API_KEY", "PREFECT_API_AUTH_STRING")
    return {name: value for name in names if (value := variables.get(name) or profile.get(name, ""))}


def _active_profile(file: Path) -> dict[str, str]:
    try:
        profiles = tomllib.loads(file.read_text(encoding="utf-8"))
        return dict(profiles["profiles"][profiles["active"]])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _headers(prefect_settings: Mapping[str, str]) -> dict[str, str]:
    key = prefect_settings.get("PREFECT_API_KEY")
    return {"Authorization": f"Bearer {key}"} if key else {}


def _auth(prefect_settings: Mapping[str, str]) -> tuple[str, str] | None:
    user, _, password = prefect_settings.get("PREFECT_API_AUTH_STRING", "").partition(":")
    return (user, password) if user else None


def _request(api: httpx.Client, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """The JSON of the server's response, or None if the server answers 404."""
    # httpx joins only relative paths to the base URL, which ends in /api.
    response = api.request(method, path.lstrip("/"), json=body)
    if response.status_code == httpx.codes.NOT_FOUND:
        return None
    response.raise_for_status()
    return response.json()


def _check_deployments(api: httpx.Client, file: Path, timezone: str, reads_inbox: bool) -> Iterator[Finding]:
    try:
        expected = yaml.safe_load(file.read_text(encoding="utf-8"))["deployments"]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        problem = f"there is no {file.name} here to compare them with"
        yield warning("deployments", problem, "run `paperboy doctor` in the folder of the project")
        return
    for deployment in expected:
        name = f"{deployment['entrypoint'].rpartition(':')[2]}/{deployment['name']}"
        found = _request(api, "GET", f"/deployments/name/{name}")
        schedules = [
            entry for entry in deployment.get("schedules", []) if reads_inbox or "active" not in entry
        ]
        wanted = deployment | {"schedules": schedules}
        yield _check_deployment(f"deployment {name}", wanted, found, timezone)
    for pool in sorted({deployment["work_pool"]["name"] for deployment in expected}):
        yield _check_work_pool(api, pool)
    yield _check_scheduled_runs(api)
    yield _check_late_runs(api)


def _check_deployment(name: str, expected: Mapping[str, Any], found: Any, timezone: str) -> Finding:
    if found is None:
        return failed(name, "is missing", _SET_UP)
    if found.get("entrypoint") != expected["entrypoint"]:
        # Prefect cannot load the flow from a file that is gone, so its runs crash before Paperboy can tell anybody.
        problem = f"runs {found.get('entrypoint')}, but prefect.yaml says {expected['entrypoint']}"
        return failed(name, problem, _SET_UP)
    if found.get("paused"):
        return failed(name, "is paused", "resume it in Prefect")
    # A schedule can be paused by itself, while its deployment is active.
    schedules = [entry["schedule"] for entry in found.get("schedules", []) if entry.get("active")]
    if len(schedules) < len(expected["schedules"]):
        return failed(
            name, "has no active schedule", "resume its schedule in Prefect, or paperboy prefect-setup"
        )
    other_zones = {str(schedule.get("timezone")) for schedule in schedules} - {timezone}
    if other_zones:
        zones = ", ".join(sorted(other_zones))
        problem = f"runs in the time zone {zones}, but PAPERBOY_TIMEZONE is {timezone}"
        return warning(name, problem, _SET_UP)
    crons = ", ".join(str(schedule.get("cron")) for schedule in schedules)
    return ok(name, crons or "exists, without a schedule")


def _check_work_pool(api: httpx.Client, pool: str) -> Finding:
    name = f"work pool {pool}"
    if _request(api, "GET", f"/work_pools/{pool}") is None:
        return failed(name, "is missing", _SET_UP)
    workers = _request(api, "POST", f"/work_pools/{pool}/workers/filter", {}) or []
    online = sum(worker.get("status") == "ONLINE" for worker in workers)
    if not online:
        problem = "has no worker online, so nothing runs"
        return failed(name, problem, f"prefect worker start --pool {pool}")
    return ok(name, "has 1 worker online" if online == 1 else f"has {online} workers online")


def _check_scheduled_runs(api: httpx.Client) -> Finding:
    """Check that the server creates runs for the schedules. A run that was never created is never late."""
    name = "scheduled runs"
    query = {"flow_runs": {"state": {"name": {"any_": ["Scheduled"]}}}, "limit": 1}
    if _request(api, "POST", "/flow_runs/filter", query):
        return ok(name, "the server has scheduled the next runs")
    remedy = "wait a minute after `deploy`; if none appear, see the log of the Prefect server"
    return failed(name, "there are none, as the server creates no runs for the schedules", remedy)


def _check_late_runs(api: httpx.Client) -> Finding:
    query = {"flow_runs": {"state": {"name": {"any_": ["Late"]}}}}
    late = _request(api, "POST", "/flow_runs/count", query)
    if late:
        return warning("late runs", f"{late} runs are late", "check whether the workers are busy or hang")
    return ok("late runs", "none")
