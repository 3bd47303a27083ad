"""The JSON that Keystone writes about the things of a realm.

Rules: a token's times end in `000000Z`, a key's own expiry has no offset at all; the order of roles changes
from answer to answer; `access_rules` is there only when the key has some.
"""

from collections.abc import Iterable
from datetime import datetime
from random import SystemRandom
from typing import Any, Final

from broker.fakeiam.model import Key, Project, Token
from broker.fakeiam.realm import Realm

Tree = dict[str, Any]
REGION: Final = "kr-central-2"
# Names under .example can never reach a real service, whoever follows this catalog.
_SERVICES: Final = (
    ("object-store", "objectstorage", "https://objectstorage.{region}.kakaocloud.example"),
    ("compute", "bcs", "https://bcs.{region}.kakaocloud.example/api/v1"),
    ("network", "vpc", "https://vpc.{region}.kakaocloud.example/api/v1"),
    ("container-infra", "kubernetes-engine", "https://kubernetes-engine.{region}.kakaocloud.example/api/v1"),
)
_SHUFFLER: Final = SystemRandom()


def token_time(when: datetime) -> str:
    """A time in a token's body."""
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def token_body(realm: Realm, token: Token, roles: Iterable[str], base: str, *, catalog: bool) -> Tree:
    """The body that goes with a token and its present roles; `base` is the URL up to `/identity`."""
    key, domain = token.key, _domain(realm)
    user, project = realm.users[key.user_id], realm.projects[key.project_id]
    names = list(roles)
    _SHUFFLER.shuffle(names)
    credential: Tree = {"id": key.id, "name": key.name, "restricted": not key.unrestricted}
    if key.access_rules:
        credential["access_rules"] = _rules(key)
    body: Tree = {
        "methods": ["application_credential"],
        "user": {"domain": domain, "id": user.id, "name": user.name, "password_expires_at": None},
        "audit_ids": [token.audit_id],
        "expires_at": token_time(token.expires_at),
        "issued_at": token_time(token.issued_at),
        "project": {"domain": domain, "id": project.id, "name": project.name},
        "is_domain": False,
        "roles": [{"id": realm.named_id(name), "name": name} for name in names],
        "application_credential": credential,
    }
    if catalog:
        body["catalog"] = catalog_list(realm, base)
    return {"token": body}


def catalog_list(realm: Realm, base: str) -> list[Tree]:
    """The service catalog: this IAM itself, and a few services like KakaoCloud's."""
    services = (("identity", "iam", f"{base}/v3"), *_SERVICES)
    return [
        {
            "id": realm.named_id(f"service {name}"),
            "type": kind,
            "name": name,
            "endpoints": [
                {
                    "id": realm.named_id(f"endpoint {name}"),
                    "interface": "public",
                    "region": REGION,
                    "region_id": REGION,
                    "url": url.format(region=REGION),
                }
            ],
        }
        for kind, name, url in services
    ]


def project_body(realm: Realm, project: Project, base: str) -> Tree:
    """A project in a list."""
    return {
        "id": project.id,
        "name": project.name,
        "domain_id": realm.domain_id,
        "description": "",
        "enabled": project.enabled,
        "parent_id": realm.domain_id,
        "is_domain": False,
        "tags": [],
        "options": {},
        "links": {"self": f"{base}/v3/projects/{project.id}"},
    }


def key_body(realm: Realm, key: Key, base: str) -> Tree:
    """An access key without its secret."""
    ends = None if key.expires_at is None else key.expires_at.strftime("%Y-%m-%dT%H:%M:%S.%f")
    body: Tree = {
        "id": key.id,
        "name": key.name,
        "description": None,
        "user_id": key.user_id,
        "project_id": key.project_id,
        "system": None,
        "expires_at": ends,
        "unrestricted": key.unrestricted,
        "roles": [
            {"id": realm.named_id(name), "name": name, "domain_id": None, "description": None, "options": {}}
            for name in sorted(key.roles)
        ],
        "links": {"self": f"{base}/v3/application_credentials/{key.id}"},
    }
    if key.access_rules:
        body["access_rules"] = _rules(key)
    return {"application_credential": body}


def listing(name: str, items: Iterable[Tree], *, here: str, following: str | None = None) -> Tree:
    """A list as Keystone answers it: the items, and where the next page is."""
    return {name: list(items), "links": {"next": following, "self": here, "previous": None}}


def version_body(base: str) -> Tree:
    """The description of Identity API v3."""
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{base}/v3/"}],
        "media-types": [
            {"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"},
        ],
    }


def _domain(realm: Realm) -> Tree:
    return {"id": realm.domain_id, "name": realm.domain_name}


def _rules(key: Key) -> list[Tree]:
    return [
        {"id": rule.id, "path": rule.path, "method": rule.method, "service": rule.service}
        for rule in key.access_rules
    ]
