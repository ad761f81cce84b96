"""`paperboy prefect-setup` and prefect.yaml: deployments, schedules, limits and automations on a real Prefect server."""

import importlib
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prefect.blocks.notifications import SlackWebhook
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL

from core.frequencies import Frequency
from core.version import installed_version
from flows.set_up import WORK_POOL, SetupError, set_up
from paperboy.doctor import prefect_server

ROOT = Path(__file__).resolve().parents[2]
DEPLOYMENTS: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))[
    "deployments"
]
AUTOMATIONS: list[dict[str, Any]] = yaml.safe_load((ROOT / "automations.yaml").read_text(encoding="utf-8"))
SCHEDULES = {  # the cron line and time zone of each deployment that has an active schedule
    "ingest/hourly": ("5 * * * *", "Asia/Seoul"),
    "digest/daily": ("0 8 * * *", "Asia/Seoul"),
    "digest/weekly": ("0 8 * * 1", "Asia/Seoul"),
    "upkeep/quarter-hourly": ("*/15 * * * *", "Asia/Seoul"),
}
BOUNCES = {"bounces/quarter-hourly": ("*/15 * * * *", "Asia/Seoul")}
INBOX = {"PAPERBOY_INBOX_URL": "maildir:///var/mail/paperboy"}


def test_the_doctor_names_what_a_prefect_server_lacks_until_nothing_is_missing() -> None:
    _forget_deployments()
    missing = [line for line in _problems() if line.endswith("is missing -> paperboy prefect-setup")]
    assert len(missing) == len(DEPLOYMENTS) + 1, "the deployments and the work pool"
    _set_up()
    assert [line.partition(":")[0] for line in _problems()] == [
        "failed   work pool paperboy",
        "failed   scheduled runs",
    ]
    httpx.post(f"{PREFECT_API_URL.value()}/work_pools/paperboy/workers/heartbeat", json={"name": "one"})
    _schedule("upkeep/quarter-hourly")
    assert _problems() == []
    assert _schedules() == SCHEDULES, "without a setting they are in Seoul's time"


def test_schedules_follow_the_settings_and_bounces_are_read_only_where_there_is_an_inbox(
    deployed: list[str],
) -> None:
    assert deployed
    found = [
        line
        for line in _problems("Europe/Berlin", reads_inbox=True)
        if line.endswith("paperboy prefect-setup")
    ]
    assert len(found) == len(SCHEDULES) + 1
    _set_up(settings={"PAPERBOY_TIMEZONE": "Europe/Berlin"} | INBOX)
    assert not [line for line in _problems("Europe/Berlin", reads_inbox=True) if "time zone" in line]
    crons = {
        name: (cron, zone) for name, (cron, _) in (SCHEDULES | BOUNCES).items() for zone in ("Europe/Berlin",)
    }
    assert _schedules() == crons, "nothing else has changed"


def test_upkeep_and_bounces_cancel_a_new_run_while_one_is_at_work_and_an_ingest_waits(
    deployed: list[str],
) -> None:
    assert deployed
    with get_client(sync_client=True) as client:
        limits = {}
        for name in ("upkeep/quarter-hourly", "bounces/quarter-hourly", "ingest/hourly"):
            deployment = client.read_deployment_by_name(name)
            options, limit = deployment.concurrency_options, deployment.global_concurrency_limit
            limits[name] = (limit and limit.limit, options and options.collision_strategy.value)
    assert limits == {
        "upkeep/quarter-hourly": (1, "CANCEL_NEW"),
        "bounces/quarter-hourly": (1, "CANCEL_NEW"),
        "ingest/hourly": (1, None),
    }


def test_in_a_docker_pool_each_run_gets_a_container_with_the_volumes_and_no_secret(
    deployed: list[str],
) -> None:
    assert deployed
    try:
        _forget_deployments()
        with get_client(sync_client=True) as client:
            client.create_work_pool(WorkPoolCreate(name=WORK_POOL, type="docker"))
        with pytest.raises(SetupError, match="PROJECT_FOLDER must be the path"):
            _set_up()
        _set_up(
            settings={"PROJECT_FOLDER": "/srv/paperboy", "PAPERBOY_SMTP_URL": "smtp://me:secret@127.0.0.1"}
        )
        assert _schedules() == SCHEDULES
        with get_client(sync_client=True) as client:
            weekly = client.read_deployment_by_name("digest/weekly")
        assert weekly.parameters == {"frequency": "weekly"}
        assert weekly.job_variables["image"] == f"paperboy:{installed_version()}"
        assert "/srv/paperboy/secrets:/run/secrets:ro" in weekly.job_variables["volumes"]
        assert "secret@" not in str(weekly.job_variables)
        assert "/opt/paperboy" in str(weekly.pull_steps)
    finally:
        _forget_deployments()
        _set_up()


def test_set_up_twice_makes_each_automation_once_and_notifies_only_through_a_block_that_exists(
    deployed: list[str],
) -> None:
    assert len([line for line in deployed if "left out" in line]) == len(AUTOMATIONS) - 1
    assert (
        _command("--notify", "slack-webhook/nobody").stderr
        == "paperboy: Prefect has no block slack-webhook/nobody: create it first (see docs/watching.md)\n"
    )
    SlackWebhook(url="https://hooks.example.org/x").save("operators", overwrite=True)  # type: ignore[arg-type]
    said = _command("--notify", "slack-webhook/operators").stdout.splitlines()
    assert not [line for line in said if "left out" in line]
    _set_up("slack-webhook/operators")
    with get_client(sync_client=True) as client:
        found = client.read_automations()
    assert sorted(automation.name for automation in found) == sorted(entry["name"] for entry in AUTOMATIONS)
    assert all(automation.enabled for automation in found)


def _problems(timezone: str = "Asia/Seoul", *, reads_inbox: bool = False) -> list[str]:
    """What the doctor finds wrong with the server, for an installation in a time zone."""
    environment = {"PREFECT_API_URL": PREFECT_API_URL.value()}
    findings = prefect_server.check(environment, ROOT / "prefect.yaml", timezone, reads_inbox=reads_inbox)
    return [finding.line() for finding in findings if finding.state != "ok"]


def _set_up(notify: str = "", *, settings: Mapping[str, str] | None = None) -> None:
    """Do what the command does, in the folder of the project."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        for name, value in (settings or {}).items():
            patch.setenv(name, value)
        list(set_up(notify))


def _command(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the command in the folder of the project."""
    environment = os.environ | {"PREFECT_API_URL": PREFECT_API_URL.value() or "", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", "from paperboy.cli.main import main; main()", "prefect-setup", *options]
    return subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True)  # noqa: S603


def _forget_deployments() -> None:
    """Let the server be as it was before anybody set it up."""
    with get_client(sync_client=True) as client:
        for deployment in client.read_deployments():
            client.delete_deployment(deployment.id)
        with suppress(ObjectNotFound):
            client.delete_work_pool(WORK_POOL)


def _schedules() -> dict[str, tuple[str, str | None]]:
    """The cron line and the time zone of each active schedule on the server, by its deployment's name."""
    with get_client(sync_client=True) as client:
        flows = {flow.id: flow.name for flow in client.read_flows()}
        return {
            f"{flows[deployment.flow_id]}/{deployment.name}": (entry.schedule.cron, entry.schedule.timezone)
            for deployment in client.read_deployments()
            for entry in deployment.schedules
            if isinstance(entry.schedule, CronSchedule) and entry.active
        }


def _schedule(name: str) -> None:
    """Create the runs of a deployment's schedule, as the scheduler of the server does within a minute."""
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(name)
        client.request("POST", "/deployments/{id}/schedule", path_params={"id": deployment.id})


def test_every_deployment_names_an_existing_flow() -> None:
    for deployment in DEPLOYMENTS:
        path, _, name = deployment["entrypoint"].partition(":")
        module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
        assert getattr(module, name).name == name


def test_every_deployed_flow_tells_the_operator_when_it_fails() -> None:
    for deployment in DEPLOYMENTS:
        path, _, name = deployment["entrypoint"].partition(":")
        flow = getattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), name)
        assert flow.on_failure_hooks, name
        assert flow.on_crashed_hooks, name


def test_every_frequency_has_a_scheduled_digest() -> None:
    frequencies = [
        deployment["parameters"]["frequency"]
        for deployment in DEPLOYMENTS
        if deployment["entrypoint"] == "flows/digest.py:digest" and deployment.get("schedules")
    ]
    assert sorted(frequencies) == sorted(Frequency)
