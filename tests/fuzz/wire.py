"""Answers as they stand on the wire, read strictly: whatever is no HTTP/1.1 answer of ours fails."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from broker.core.errors import Code
from broker.serving.problem import STATUS

# The library answers in the version that it was asked in, also to refuse it.
_LINE = re.compile(rb"HTTP/(?:1\.[01]|0\.9|2\.0) ([1-5][0-9]{2}) [A-Za-z -]+\r\n")
_FIELD = re.compile(rb"([A-Za-z-]+): ([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)\r\n")
_STATUS = {code.value: status for code, status in STATUS.items()}
# What nobody outside may learn of the inside.
_INSIDE = (b"Traceback", b'File "', b".py", b"aiohttp", b"Python/", b"llhttp", b"Expected ")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; interim ones too."""

    status: int
    fields: dict[str, str]  # names in lower case
    body: bytes

    @property
    def code(self) -> str:
        """The code of a refusal."""
        problem = self.fields.get("content-type") == "application/problem+json" and self.body
        return str(json.loads(self.body)["code"]) if problem else ""

    @property
    def outline(self) -> tuple[int, str]:
        """What does not change by the second."""
        return self.status, self.code


def answers(heard: bytes, *, cut: bool, heads: bool) -> list[Answer]:
    """All answers; `cut`: the last one may be broken off; `heads`: an answer may lack its body, as that to HEAD does."""
    assert not any(inside in heard for inside in _INSIDE), heard
    return list(_answers(heard, cut=cut, heads=heads))


def _answers(heard: bytes, *, cut: bool, heads: bool) -> Iterator[Answer]:
    at = 0
    while at < len(heard):
        end = heard.find(b"\r\n\r\n", at) + 4
        if end < 4:
            assert cut, ("broken off in a head", heard[at:])
            return
        status, fields = _head(heard[at:end])
        length = int(fields.get("content-length", "0"))
        rest = heard[end:]
        bodiless = heads and (not rest or rest.startswith(b"HTTP/"))
        if not bodiless and len(rest) < length:
            assert cut, ("broken off in a body", heard[at:])
            return
        body = b"" if bodiless else rest[:length]
        at = end + len(body)
        answer = Answer(status, fields, body)
        _judge(answer)
        yield answer


def _head(head: bytes) -> tuple[int, dict[str, str]]:
    line = _LINE.match(head)
    assert line, head
    at, fields = line.end(), {}
    while field := _FIELD.match(head, at):
        name = field[1].decode().lower()
        assert name not in fields, ("twice", head)
        fields[name] = field[2].decode()
        at = field.end()
    assert head[at:] == b"\r\n", ("no header line", head)
    return int(line[1]), fields


def _judge(answer: Answer) -> None:
    """What holds for every answer of ours."""
    if answer.status == 100:
        assert not answer.fields, answer
        return
    assert answer.fields["server"] == "kakaocloud-broker", answer
    assert answer.fields["cache-control"] == "no-store", answer
    assert "transfer-encoding" not in answer.fields, answer
    if answer.status == 304:
        return
    if answer.status == 204:
        assert answer.body == b"", answer
        return
    assert answer.fields["content-length"].isdigit(), answer
    if answer.status >= 400 and answer.body:
        problem = json.loads(answer.body)
        if "error" in problem:
            _judge_keystones(answer, problem["error"])
            return
        assert problem["status"] == answer.status, answer
        also = {"too_large": 431}.get(problem["code"])
        assert answer.status in {_STATUS[problem["code"]], also}, answer
        assert Code(problem["code"]) is not Code.INTERNAL, answer


def _judge_keystones(answer: Answer, error: dict[str, object]) -> None:
    """What holds for every refusal of the facade."""
    assert answer.fields["content-type"] == "application/json; charset=utf-8", answer
    assert set(error) == {"code", "message", "title"}, answer
    assert error["code"] == answer.status in {*_STATUS.values()} - {500}, answer
