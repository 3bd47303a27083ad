"""Which object storage an identity's tokens may go to: that of their own IAM, or of none."""

from typing import Any

from broker.settings import Settings
from broker.settings.changes import compare, taken_over

OWN, OTHER = "https://iam.kakaocloud.com/identity/v3", "https://iam.other.example/v3"
LISTEN = [{"unix": "/s"}]


def tree(url: str | None = None, **identities: dict[str, Any]) -> Settings:
    named = {name: {"keys": [f"/{name}"], **fields} for name, fields in identities.items()}
    return Settings.model_validate({"listen": LISTEN, "identities": named, "s3": {"url": url}})


def storages(settings: Settings) -> dict[str, str | None]:
    found = {name: settings.storage_of(name) for name in settings.identities}
    return {name: None if places is None else places.template for name, places in found.items()}


def test_the_shared_address_is_for_one_iam_however_it_is_written():
    made = tree("https://s3.example", a={"iam_url": OTHER}, b={"iam_url": "https://IAM.other.example:443/v3"})
    assert storages(made) == {"a": "https://s3.example", "b": "https://s3.example"}


def test_an_identity_of_another_iam_has_an_address_of_its_own():
    made = tree(a={}, b={"iam_url": OTHER, "s3_url": "https://s3.example"}, c={"iam_url": OTHER})
    assert storages(made) == {
        "a": "https://objectstorage.{region}.kakaocloud.com",
        "b": "https://s3.example",
        "c": None,
    }


def test_beside_a_shared_address_too():
    made = tree("https://ours.example", a={}, b={"iam_url": OTHER, "s3_url": "https://s3.example"})
    assert storages(made) == {"a": "https://ours.example", "b": "https://s3.example"}


def test_a_reload_sends_no_token_of_another_iam_to_the_address_that_still_holds():
    """The leak: the new settings drop the shared address, which waits for a restart, and add an identity that does not."""
    running = tree("https://ours.example", a={})
    new = tree(None, a={}, b={"iam_url": OTHER})
    assert compare(running, new).needs_restart == ("s3",)
    taken = taken_over(running, new)
    assert taken.s3.url == "https://ours.example"
    assert storages(taken)["b"] is None


def test_another_address_waits_for_a_restart():
    running = tree(a={"s3_url": "https://s3.example"})
    new = tree(a={"s3_url": "https://new.example"})
    assert compare(running, new).needs_restart == ("identities.a.s3_url",)
    assert storages(taken_over(running, new)) == {"a": "https://s3.example"}
