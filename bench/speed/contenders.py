"""Who is measured beside the broker, each started as its own documentation has it, with no check and no log where it can."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.speed.asking import answered, body_of
from bench.speed.daemon import Broker, broker, request
from bench.speed.emulator import Emulator
from bench.speed.generator import Target
from bench.speed.peers.python import elhaz, moto
from bench.speed.processes import Word, server
from bench.speed.resident import free_port
from bench.speed.tools import Tools

OURS = "this broker"
GO = "Go net/http"
NGINX = "nginx return"
STOCK = "this broker, lane off"
ELHAZ = "elhaz"
MOTO = "moto"
_CONF = Path(__file__).parent / "peers" / "nginx.conf"
_TOKEN = (request("/v1/token"),)


@dataclass(frozen=True, slots=True)
class Contender:
    """A server that is up."""

    name: str
    unix: Target | None
    tcp: Target | None
    keeps: bool = True  # connections, from one request to the next


def started(stack: ExitStack, found: Tools, folder: Path, iam: Emulator) -> list[Contender]:
    """All that can be had, the broker first; they run until the stack is closed. Raises Failed."""
    ours = stack.enter_context(broker(folder / "ours", iam))
    size = len(body_of(ours.socket, _TOKEN[0]))
    stock = stack.enter_context(broker(folder / "stock", iam, lane=False))
    everybody = [_of_broker(OURS, ours), _of_broker(STOCK, stock)]
    if found.go_server is not None:
        everybody.append(stack.enter_context(go(found.go_server, folder, size)))
    if found.nginx is not None:
        everybody.append(stack.enter_context(_nginx(found.nginx, folder, size)))
    if found.peers is not None:
        its_moto = stack.enter_context(moto(found.peers, folder))
        everybody.append(Contender(MOTO, None, its_moto, keeps=False))
        its_elhaz = stack.enter_context(elhaz(found.peers, folder, str(its_moto.where)))
        everybody.append(Contender(ELHAZ, its_elhaz, None, keeps=False))
    return everybody


def _of_broker(name: str, up: Broker) -> Contender:
    return Contender(name, up.target(), up.target(tcp=True))


@contextmanager
def go(program: Path, folder: Path, size: int) -> Iterator[Contender]:
    """The reference, with answers of so many bytes. Raises Failed."""
    socket, tcp = folder / "go.sock", f"127.0.0.1:{free_port()}"
    command: list[Word] = [program, "-unix", socket, "-tcp", tcp, "-body", str(size)]
    with server(command, folder / "go.log", lambda: answered(socket, _TOKEN[0])) as child:
        yield Contender(GO, Target(socket, _TOKEN, (child.pid,)), Target(tcp, _TOKEN, (child.pid,)))


@contextmanager
def _nginx(program: Path, folder: Path, size: int) -> Iterator[Contender]:
    home, socket, tcp = folder / "nginx", folder / "nginx.sock", f"127.0.0.1:{free_port()}"
    home.mkdir()
    text = _CONF.read_text()
    for word, value in (("FOLDER", str(home)), ("UNIX", str(socket)), ("TCP", tcp), ("BODY", "x" * size)):
        text = text.replace(word, value)
    (home / "nginx.conf").write_text(text)
    command: list[Word] = [program, "-p", home, "-e", home / "error.log", "-c", home / "nginx.conf"]
    with server(command, folder / "nginx.log", lambda: answered(socket, _TOKEN[0])) as child:
        yield Contender(NGINX, Target(socket, _TOKEN, (child.pid,)), Target(tcp, _TOKEN, (child.pid,)))
