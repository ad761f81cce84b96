"""The image holds what runs, made by the same tools as an installation without it."""

import re
import tomllib
from pathlib import Path

import yaml

PROJECT = Path(__file__).parents[2]


def text_of(name: str) -> str:
    return (PROJECT / name).read_text("utf-8")


def test_the_image_holds_every_package_and_all_that_prefect_reads() -> None:
    packages = tomllib.loads(text_of("pyproject.toml"))["tool"]["hatch"]["build"]["targets"]["wheel"][
        "packages"
    ]
    copied = set(re.findall(r"^!(.+)$", text_of(".dockerignore"), re.MULTILINE))
    assert copied >= {
        *packages,
        "pyproject.toml",
        "uv.lock",
        "prefect.yaml",
        "prefect.docker.yaml",
        "automations.yaml",
    }


def test_the_image_compiles_every_package_because_it_is_read_only() -> None:
    packages = tomllib.loads(text_of("pyproject.toml"))["tool"]["hatch"]["build"]["targets"]["wheel"][
        "packages"
    ]
    for name in ("Containerfile", "Makefile"):
        compiled = re.search(r"compileall -q (.+)$", text_of(name), re.MULTILINE)
        assert compiled
        assert sorted(compiled[1].split()) == sorted(packages), name


def test_the_image_and_the_makefile_install_with_the_same_version_of_uv() -> None:
    (image,) = re.findall(r"^ARG UV_VERSION=(.+)$", text_of("Containerfile"), re.MULTILINE)
    (makefile,) = re.findall(r"^UV_VERSION := (.+)$", text_of("Makefile"), re.MULTILINE)
    assert image == makefile


def test_everything_in_the_compose_file_waits_for_the_migration_and_cannot_write_its_root() -> None:
    services = yaml.safe_load(text_of("compose.yaml"))["services"]
    ours = {name: service for name, service in services.items() if service["image"].startswith("paperboy:")}
    assert set(ours) == {"migrate", "prefect", "set-up", "worker", "pages"}
    for name, service in ours.items():
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert name == "migrate" or _waits_for_migration(ours, name)


def test_the_compose_file_builds_one_image_of_this_version_for_all_its_services() -> None:
    version = tomllib.loads(text_of("pyproject.toml"))["project"]["version"]
    services = yaml.safe_load(text_of("compose.yaml"))["services"]
    images = [service["image"] for service in services.values() if "paperboy" in service["image"]]
    assert images == [f"paperboy:{version}"] * 5
    assert [name for name, service in services.items() if "build" in service] == ["migrate"]


def test_both_files_of_deployments_say_the_same_of_each() -> None:
    process, docker = (yaml.safe_load(text_of(name)) for name in ("prefect.yaml", "prefect.docker.yaml"))
    assert len(process["deployments"]) == len(docker["deployments"]) > 5
    for ours, theirs in zip(process["deployments"], docker["deployments"], strict=True):
        pool = theirs.pop("work_pool")
        assert pool["name"] == ours.pop("work_pool")["name"]
        assert theirs == ours
    assert docker["build"][: len(process["build"])] == process["build"]


def test_a_run_in_a_docker_pool_has_the_rights_and_the_files_of_the_compose_services() -> None:
    variables = yaml.safe_load(text_of("prefect.docker.yaml"))["definitions"]["pool"]["job_variables"]
    worker = yaml.safe_load(text_of("compose.yaml"))["services"]["worker"]
    container = variables["container_create_kwargs"]
    assert (container["read_only"], container["cap_drop"]) == (worker["read_only"], worker["cap_drop"])
    assert container["security_opt"] == worker["security_opt"]
    assert {volume.split(":")[1] for volume in variables["volumes"]} >= {
        volume.split(":")[1] for volume in worker["volumes"]
    }
    assert variables["env"].items() >= {"PREFECT_API_URL": worker["environment"]["PREFECT_API_URL"]}.items()


def _waits_for_migration(services: dict[str, dict[str, dict[str, object]]], name: str) -> bool:
    before = services[name]["depends_on"]
    return "migrate" in before or any(_waits_for_migration(services, other) for other in before)
