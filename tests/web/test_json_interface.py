"""The JSON interface conforms to its own OpenAPI description, whatever it is sent."""

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from core.version import installed_version
from tests.support.site import CHOICE, Site

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def api_schema(shared_sample_site: Site) -> schemathesis.BaseSchema:
    """The OpenAPI description that the running pages serve."""
    return schemathesis.openapi.from_url(f"{shared_sample_site.url}/api/openapi.json")


def test_the_description_tells_the_version_that_the_doctor_compares(shared_sample_site: Site) -> None:
    description = shared_sample_site.client.get("/api/openapi.json").json()
    assert description["info"]["version"] == installed_version()


@pytest.mark.parametrize("mode", GenerationMode)
def test_every_answer_conforms_to_the_openapi_description(
    api_schema: schemathesis.BaseSchema, mode: GenerationMode
) -> None:
    """Requests that the description allows, and requests that it does not."""

    @settings(max_examples=100, suppress_health_check=list(HealthCheck))
    @given(case=api_schema["/api/subscribers"]["POST"].as_strategy(generation_mode=mode))
    def check(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(checks=CHECKS)

    check()


@pytest.mark.parametrize(
    "email", ["\ud800@example.com", "a\x00@example.com", "nobody", "x" * 500, "김@example.com"]
)
def test_an_invalid_address_is_refused_as_the_description_says(shared_sample_site: Site, email: str) -> None:
    body = json.dumps({"email": email, **CHOICE})
    answer = shared_sample_site.client.post(
        "/api/subscribers", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "email"]


def test_a_sign_up_by_json_brings_the_same_mail_as_one_by_the_form(shared_sample_site: Site) -> None:
    answer = shared_sample_site.client.post("/api/subscribers", json={"email": "json@example.com", **CHOICE})
    assert answer.status_code == 202
    assert shared_sample_site.mail("json@example.com")["Feedback-ID"].startswith("confirmation")


def test_a_method_that_is_not_allowed_is_answered_with_those_that_are(shared_sample_site: Site) -> None:
    """RFC 9110, 15.5.6."""
    answer = shared_sample_site.client.delete("/api/subscribers")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
