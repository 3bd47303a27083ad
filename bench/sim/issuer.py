"""The port `Issuer` on the emulator's model: its answers are written and read as they are on the wire."""

from email.utils import format_datetime

from bench.sim.clock import SimClock
from bench.sim.iam import TIMEOUT, DownError, Iam
from broker.core.errors import Fault, IamError
from broker.core.model import AccessKey, KeyById, KeyFacts, Reply, Row, Token, Validity
from broker.fakeiam import bodies, model
from broker.fakeiam.answer import Answer, keystone_error
from broker.fakeiam.model import Claim, RefusedError
from broker.issuer import wire
from broker.issuer.faults import Operation, refusal
from broker.issuer.reply import parse_reply, parse_validity

_BASE = "https://iam.example/identity"


class ModelIssuer:
    """Implements the port `Issuer`."""

    def __init__(self, iam: Iam, clock: SimClock) -> None:
        self._iam = iam
        self._clock = clock

    async def issue(self, key: AccessKey) -> Reply:
        sent_at = self._clock.now()
        await self._reach(Operation.ISSUE)
        try:
            token = self._iam.tokens.issue(_claim(key))
            roles = self._iam.tokens.granted(token.key)
        except RefusedError as refused:
            raise _refused(Operation.ISSUE, refused) from None
        answer = self._token(201, token, roles)
        self._iam.issued_at.append(self._clock.now())
        await self._iam.back(Operation.ISSUE)
        return parse_reply(answer.status, _headers(answer), answer.payload(), sent_at)

    async def validate(self, token: Token) -> Validity:
        await self._reach(Operation.VALIDATE)
        text = token.value.reveal()
        try:
            found = self._iam.tokens.validate(text, text)
            roles = self._iam.tokens.roles(found)
        except RefusedError as refused:
            raise _refused(Operation.VALIDATE, refused) from None
        answer = self._token(200, found, roles)
        await self._iam.back(Operation.VALIDATE)
        return parse_validity(answer.status, _headers(answer), answer.payload())

    async def projects(self, token: Token) -> tuple[Row, ...]:
        await self._reach(Operation.PROJECTS)
        try:
            user = self._iam.tokens.authenticate(token.value.reveal()).key.user_id
        except RefusedError as refused:
            raise _refused(Operation.PROJECTS, refused) from None
        rows = tuple(
            bodies.project_body(self._iam.realm, project, _BASE)
            for project in self._iam.realm.projects_of(user)
        )
        await self._iam.back(Operation.PROJECTS)
        return rows

    async def key_facts(self, token: Token) -> KeyFacts:
        await self._reach(Operation.KEY)
        try:
            found = self._iam.tokens.key_of(token.value.reveal(), token.user.id, token.key_id or "")
        except RefusedError as refused:
            raise _refused(Operation.KEY, refused) from None
        answer = Answer(200, bodies.key_body(self._iam.realm, found, _BASE))
        await self._iam.back(Operation.KEY)
        return wire.parse_key_facts(answer.payload())

    async def _reach(self, operation: Operation) -> None:
        try:
            await self._iam.reach(operation)
        except DownError:
            detail = f"no answer within {TIMEOUT:.0f} s; is IAM up?"
            raise IamError(Fault.UNAVAILABLE, detail) from None

    def _token(self, status: int, token: model.Token, roles: frozenset[str]) -> Answer:
        tree = bodies.token_body(self._iam.realm, token, roles, _BASE, catalog=False)
        date = format_datetime(self._clock.true().replace(microsecond=0), usegmt=True)
        return Answer(status, tree, headers={"X-Subject-Token": token.text, "Date": date})


def _claim(key: AccessKey) -> Claim:
    if isinstance(key, KeyById):
        return Claim(key.secret.reveal(), key_id=key.id)
    return Claim(key.secret.reveal(), name=key.name, user_id=key.user_id)


def _refused(operation: Operation, refused: RefusedError) -> IamError:
    answer = keystone_error(refused.code, refused.message)
    return refusal(operation, answer.status, _headers(answer), answer.payload())


def _headers(answer: Answer) -> tuple[tuple[str, str], ...]:
    return tuple(answer.headers.items())
