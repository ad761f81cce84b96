"""Sets Prefect up: the work pool, the deployments with their schedules and limits, and the automations.

Everything is created or updated by its name, so that it can be done again after each upgrade and change of a setting.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.settings import PREFECT_API_URL

from core.errors import PaperboyError

WORK_POOL = "paperboy"
AUTOMATIONS = Path("automations.yaml")
# By the type of the work pool.
DEPLOYMENTS = {"process": Path("prefect.yaml"), "docker": Path("prefect.docker.yaml")}
BLOCK_ID = "OPERATORS"  # stands for the id of the notification block


class SetupError(PaperboyError):
    """Prefect could not be set up. The message says why."""


def set_up(notify: str = "") -> Iterator[str]:
    """Set Prefect up as the files in the present folder say. Each line tells what was done.

    `notify` names a notification block, such as `slack-webhook/operators`. Without it, no automation that notifies is
    created or changed.

    Raises:
        SetupError: a file is not here, no server is named, it refuses a deployment, or there is no such block.
    """
    for file in (*DEPLOYMENTS.values(), AUTOMATIONS):
        if not file.exists():
            raise SetupError(f"{file} is not here: run it in the folder of the project")
    if not PREFECT_API_URL.value():  # without it Prefect starts a server for this command alone
        raise SetupError("PREFECT_API_URL is not set: set it in .env, as docs/example.env shows")
    with get_client(sync_client=True) as client:
        block = _block_id(client, notify) if notify else ""
        yield _create_work_pool(client)
        yield _deploy(_file_for(client.read_work_pool(WORK_POOL).type))
        for automation in yaml.safe_load(AUTOMATIONS.read_text(encoding="utf-8")):
            yield _create_automation(client, automation, block)


def _create_work_pool(client: SyncPrefectClient) -> str:
    try:
        client.create_work_pool(WorkPoolCreate(name=WORK_POOL, type="process"))
    except ObjectAlreadyExists:
        return f"work pool {WORK_POOL}: exists"
    return f"work pool {WORK_POOL}: created"


def _file_for(pool_type: str) -> Path:
    """The file with the deployments for a type of work pool."""
    if pool_type not in DEPLOYMENTS:
        raise SetupError(
            f"the work pool {WORK_POOL} is of the type {pool_type}: make one of {', '.join(DEPLOYMENTS)}"
        )
    return DEPLOYMENTS[pool_type]


def _deploy(file: Path) -> str:
    """Let Prefect's own command create or update all deployments."""
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file)]
    environment = os.environ | {"PREFECT_API_URL": PREFECT_API_URL.value() or ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise SetupError(f"prefect deploy failed:\n{(done.stderr or done.stdout).strip()}")
    count = len(yaml.safe_load(file.read_text("utf-8"))["deployments"])
    return f"deployments: {count} of {file} created or updated"


def _block_id(client: SyncPrefectClient, name: str) -> str:
    kind, _, block = name.partition("/")
    try:
        return str(client.read_block_document_by_name(block, kind).id)
    except ObjectNotFound:
        raise SetupError(f"Prefect has no block {name}: create it first (see docs/watching.md)") from None


def _create_automation(client: SyncPrefectClient, automation: dict[str, Any], block: str) -> str:
    name = automation["name"]
    notifies = [action for action in automation["actions"] if BLOCK_ID in action.values()]
    if notifies and not block:
        return f"automation {name}: left out, as it needs --notify BLOCK"
    for action in notifies:
        action["block_document_id"] = block
    # An update sends only what is set here, so what was set by hand beyond that stays.
    wanted = AutomationCore.model_validate(automation)
    found = client.read_automations_by_name(name)
    if found:
        client.update_automation(found[0].id, wanted)
        return f"automation {name}: updated"
    client.create_automation(wanted)
    return f"automation {name}: created"
