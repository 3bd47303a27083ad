"""The OpenAPI document is valid, true to the routes in both directions, and real answers are as it says."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from broker.core.degraded import Reason
from broker.core.errors import Code, Fault
from broker.core.keys import Place, Standing
from broker.core.reports import Outcome
from broker.core.timing import Phase
from broker.core.watch import Method
from broker.keeper.setting import Validation
from broker.serving.application import ROUTES
from broker.serving.problem import STATUS
from tests.serving.house import Answer, House, Readable, house, until

DOCUMENT: dict[str, Any] = json.loads(resources.files("broker.serving").joinpath("openapi.json").read_bytes())
REGISTRY: Registry[Any] = Registry().with_resource("urn:us", DRAFT202012.create_resource(DOCUMENT))
METHODS = {"get", "head", "post", "put", "patch", "delete", "options", "trace"}


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """What a node says, be it there or elsewhere in the document."""
    while "$ref" in node:
        found: Any = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def described(route: str, status: int) -> dict[str, Any]:
    (operation,) = DOCUMENT["paths"][route].values()
    return resolved(operation["responses"][str(status)])


def is_as_described(route: str, answer: Answer) -> None:
    """Status, content type, body and headers."""
    response = described(route, answer.status)
    kind = answer.headers["Content-Type"].split(";")[0] if answer.status != 304 else None
    assert kind is None or kind in response["content"], (route, answer.status, kind)
    for name, header in response["headers"].items():
        if name in answer.headers:
            value: object = answer.headers[name]
            schema = resolved(header)["schema"]
            check(schema, int(str(value)) if schema.get("type") == "integer" else value)
    if kind is not None and kind.endswith("json"):
        check(response["content"][kind]["schema"], answer.tree)


def check(schema: dict[str, Any], value: object) -> None:
    absolute = json.loads(json.dumps(schema).replace('"#/', '"urn:us#/'))
    OAS31Validator(absolute, registry=REGISTRY, format_checker=OAS31Validator.FORMAT_CHECKER).validate(value)


def test_it_is_valid_and_every_schema_is_one():
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []
    for schema in DOCUMENT["components"]["schemas"].values():
        OAS31Validator.check_schema(schema)


def test_it_has_the_routes_that_are_served_and_no_others():
    described = {
        (method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in METHODS & set(item)
    }
    assert described == {(method, path) for routes in ROUTES.values() for method, path, _ in routes}


def test_every_code_is_in_it_at_its_status():
    ours = [code for code in Code if code is not Code.UNAUTHORIZED]  # which the Keystone facade tells
    assert DOCUMENT["components"]["schemas"]["Code"]["enum"] == [code.value for code in ours]
    told: dict[str, set[str]] = {code.value: set() for code in ours}
    for path, item in DOCUMENT["paths"].items():
        for status in next(iter(item.values()))["responses"]:
            problem = described(path, int(status)).get("content", {}).get("application/problem+json")
            for code in problem["schema"]["allOf"][1]["properties"]["code"]["enum"] if problem else ():
                told[code].add(status)
    also = {Code.TOO_LARGE: {"431"}}
    assert told == {code.value: {str(STATUS[code])} | also.get(code, set()) for code in ours}


def test_states_and_faults_are_those_of_the_rules():
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["Fault"]["properties"]["fault"]["enum"] == [fault.value for fault in Fault]
    assert schemas["State"]["enum"] == [
        *(phase.name.lower() for phase in Phase if phase < Phase.EXPIRED),
        "empty",
    ]


def test_what_is_told_of_keys_and_reports_is_what_the_rules_know():
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["Reason"]["enum"] == [reason.value for reason in Reason]
    assert schemas["Place"]["enum"] == [place.name.lower() for place in Place]
    assert schemas["Key"]["properties"]["standing"]["enum"] == [standing.value for standing in Standing]
    assert schemas["Validation"]["properties"]["method"]["enum"] == [
        *(method.value for method in Method),
        None,
    ]
    assert schemas["Rejection"]["properties"]["outcome"]["enum"] == [outcome.value for outcome in Outcome]


def test_path_parameters_are_those_of_the_paths():
    for path, item in DOCUMENT["paths"].items():
        names = [
            resolved(parameter)["name"]
            for parameter in next(iter(item.values())).get("parameters", ())
            if resolved(parameter)["in"] == "path"
        ]
        assert names == (["name"] if "{name}" in path else []), path


def test_nothing_in_it_is_left_over():
    text = json.dumps(DOCUMENT)
    for kind, components in DOCUMENT["components"].items():
        for name in components:
            assert f'"#/components/{kind}/{name}"' in text, (kind, name)


async def test_it_is_served_as_it_is(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        answer = await broker.get("/openapi.json")
        assert (answer.status, answer.tree) == (200, DOCUMENT)
        assert answer.headers["Content-Type"].startswith("application/json")


def target_of(route: str) -> str:
    return route.replace("{name}", "default")


@pytest.mark.parametrize("route", sorted(path for path, item in DOCUMENT["paths"].items() if "get" in item))
async def test_real_answers_are_as_it_says(tmp_path: Path, route: str):
    facades = ("127.0.0.1:9780",)
    async with house(tmp_path, "default", standby=True, validation=Validation(), facades=facades) as broker:
        broker.issuers["default"].hold_lists = True
        answers = [await broker.get(target_of(route), headers={"Prefer": "wait=0"})]  # nothing is held
        await broker.issued()
        broker.issuers["default"].hold_lists = False
        answers += [await broker.get(target_of(route), headers=headers) for headers in REQUESTS]
        answers.append(await broker.get(target_of(route), "POST"))
        answers.append(await broker.get(target_of(route), data=b"x" * 20_000))
        await in_trouble(broker)
        answers.append(await broker.get(target_of(route)))
        broker.drain.begun = True
        answers.append(await broker.get(target_of(route)))
    for answer in answers:
        is_as_described(route, answer)
    assert {200, 405, 413} <= {answer.status for answer in answers}


REQUESTS: tuple[dict[str, str], ...] = (
    {},
    {"Accept": "text/plain"},
    {"If-None-Match": "*"},
    {"Prefer": "wait=5"},
)


async def test_what_is_told_of_a_report_is_as_it_says(tmp_path: Path):
    route = "/v1/identities/{name}/rejections"
    async with house(tmp_path, "default", validation=Validation()) as broker:
        answers = [await broker.reject("token-of-default", prefer="wait=0")]
        await broker.issued()
        answers += [await broker.reject(token) for token in ("token-of-default", "another")]
        answers += [
            await broker.get(target_of(route)),
            await broker.get(target_of(route), "POST", data=b"{}"),
        ]
        answers.append(await broker.get(target_of(route), "POST", data=b"x" * 20_000))
        for answer in answers:
            is_as_described(route, answer)
        assert [answer.status for answer in answers] == [200, 200, 200, 405, 400, 413]
        assert [answer.tree["outcome"] for answer in answers[:3]] == ["deferred", "still_valid", "superseded"]


async def in_trouble(broker: House) -> None:
    """A refresh that was due has failed."""
    await broker.clock.advance(40_000)
    broker.keyring["default"].observe()
    await until(lambda: broker.issuers["default"].calls)
    broker.issuers["default"].fail(Fault.THROTTLED)
    await until(lambda: broker.keyring["default"].lease.trouble)


async def test_refusals_are_as_it_says(tmp_path: Path):
    policy = Readable("a", "b")
    async with house(tmp_path, "a", "b", policy=policy) as broker:
        is_as_described("/v1/token", await broker.get("/v1/token"))  # which one is meant?
        is_as_described("/v1/token", await broker.get("/v1/token?format=xml"))
        is_as_described("/readyz/{name}", await broker.get("/readyz/nothing"))
        await broker.issued("a")
        is_as_described(
            "/v1/identities/{name}/token", await broker.get("/v1/identities/a/token?min_ttl=40000")
        )
        policy.names.clear()
        for route in DOCUMENT["paths"]:
            if route.startswith("/v1/"):
                target = route.replace("{name}", "a")
                method = "GET" if "get" in DOCUMENT["paths"][route] else "POST"
                is_as_described(route, await broker.get(target, method))
    async with house(tmp_path, "a", prove=lambda _: None) as broker:
        is_as_described("/v1/token", await broker.get("/v1/token"))
