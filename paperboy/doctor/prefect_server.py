"""The Prefect server, over its HTTP API: deployments, their schedules, the worker, runs that are late.

Importing prefect would take over a second, and only the flows may.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from paperboy.doctor.configuration import in_file
from paperboy.doctor.findings import Finding, failed, ok, warning
from paperboy.doctor.trust import trusted

NAME = "Prefect"
PATIENCE = 5  # seconds for an answer
_DEPLOY = "prefect --no-prompt deploy --all"


def check(prefect: Mapping[str, str], file: Path, timezone: str) -> Iterator[Finding]:
    """Compare what the server has with the deployments in `file` (prefect.yaml); `prefect` are Prefect's
    own settings."""
    url = prefect.get("PREFECT_API_URL", "")
    if not url:
        remedy = "set it in .env, if Prefect is to run Paperboy: docs/operating.md"
        yield warning(NAME, "PREFECT_API_URL is not set: nothing runs by schedule", remedy)
        return
    with httpx.Client(
        base_url=url, timeout=PATIENCE, headers=_headers(prefect), auth=_auth(prefect), verify=trusted()
    ) as api:
        try:
            if _ask(api, "GET", "/health") is None:
                yield failed(NAME, f"{url} is no Prefect API", "correct PREFECT_API_URL: it ends in /api")
            else:
                yield ok(NAME, f"{url} answers")
                yield from _deployments(api, file, timezone)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            reason = str(error) or type(error).__name__
            yield failed(
                NAME, f"{url} does not answer: {reason}", "start `prefect server start`; see its log"
            )


def own_settings() -> dict[str, str]:
    """Prefect's settings that matter here, from where it reads them: the environment, `.env`, the active
    profile."""
    given = {**in_file(), **os.environ}
    profile = _active_profile(Path(given.get("PREFECT_HOME", "~/.prefect")).expanduser() / "profiles.toml")
    names = ("PREFECT_API_URL", "PREFECT_API_KEY", "PREFECT_API_AUTH_STRING")
    return {name: value for name in names if (value := given.get(name) or profile.get(name, ""))}


def _active_profile(file: Path) -> dict[str, str]:
    try:
        profiles = tomllib.loads(file.read_text(encoding="utf-8"))
        return dict(profiles["profiles"][profiles["active"]])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _headers(prefect: Mapping[str, str]) -> dict[str, str]:
    key = prefect.get("PREFECT_API_KEY")
    return {"Authorization": f"Bearer {key}"} if key else {}


def _auth(prefect: Mapping[str, str]) -> tuple[str, str] | None:
    user, _, password = prefect.get("PREFECT_API_AUTH_STRING", "").partition(":")
    return (user, password) if user else None


def _ask(api: httpx.Client, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """The server's answer; None for something it does not have."""
    answer = api.request(method, path.lstrip("/"), json=body)
    if answer.status_code == httpx.codes.NOT_FOUND:
        return None
    answer.raise_for_status()
    return answer.json()


def _deployments(api: httpx.Client, file: Path, timezone: str) -> Iterator[Finding]:
    try:
        wanted = yaml.safe_load(file.read_text(encoding="utf-8"))["deployments"]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        said = f"there is no {file.name} here to compare with"
        yield warning("deployments", said, "run `paperboy doctor` in the project's folder")
        return
    for deployment in wanted:
        name = f"{deployment['entrypoint'].rpartition(':')[2]}/{deployment['name']}"
        found = _ask(api, "GET", f"/deployments/name/{name}")
        yield _deployment(f"deployment {name}", deployment, found, timezone)
    for pool in sorted({deployment["work_pool"]["name"] for deployment in wanted}):
        yield _pool(api, pool)
    yield _ahead(api)
    yield _late(api)


def _deployment(name: str, wanted: Mapping[str, Any], found: Any, timezone: str) -> Finding:
    if found is None:
        return failed(name, "is missing", _DEPLOY)
    if found.get("paused"):
        return failed(name, "is paused", "resume it in Prefect")
    schedules = [entry["schedule"] for entry in found.get("schedules", []) if entry.get("active")]
    if len(schedules) < len(wanted.get("schedules", [])):
        return failed(name, "has no active schedule", f"resume its schedule in Prefect, or {_DEPLOY}")
    zones = {str(schedule.get("timezone")) for schedule in schedules} - {timezone}
    if zones:
        said = f"runs by the clock of {', '.join(sorted(zones))}, PAPERBOY_TIMEZONE is {timezone}"
        return warning(name, said, f"make them the same in prefect.yaml and .env, then {_DEPLOY}")
    return ok(
        name, ", ".join(str(schedule.get("cron")) for schedule in schedules) or "there, without a schedule"
    )


def _pool(api: httpx.Client, pool: str) -> Finding:
    name = f"work pool {pool}"
    if _ask(api, "GET", f"/work_pools/{pool}") is None:
        return failed(name, "is missing", f"prefect work-pool create {pool} --type process")
    workers = _ask(api, "POST", f"/work_pools/{pool}/workers/filter", {}) or []
    online = sum(worker.get("status") == "ONLINE" for worker in workers)
    if not online:
        return failed(name, "has no worker online: nothing runs", f"prefect worker start --pool {pool}")
    return ok(name, f"{online} online")


def _ahead(api: httpx.Client) -> Finding:
    """Whether the server makes runs of the schedules: what it never made is never late."""
    name = "scheduled runs"
    ahead = {"flow_runs": {"state": {"name": {"any_": ["Scheduled"]}}}, "limit": 1}
    if _ask(api, "POST", "/flow_runs/filter", ahead):
        return ok(name, "there are some ahead")
    remedy = "a minute after `deploy` there are some; else see the Prefect server's log"
    return failed(name, "none are ahead: the server makes no runs of the schedules", remedy)


def _late(api: httpx.Client) -> Finding:
    late = _ask(api, "POST", "/flow_runs/count", {"flow_runs": {"state": {"name": {"any_": ["Late"]}}}})
    if late:
        return warning("late runs", f"{late} runs are late", "see whether the workers are busy or hang")
    return ok("late runs", "none")
