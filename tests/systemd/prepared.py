"""A machine as its administrator prepares it: the package, an IAM, a key that systemd decrypts, and settings."""

from pathlib import Path

from tests.systemd.machine import Machine

UNIT = "kakaocloud-broker.service"
SOCKET = "kakaocloud-broker.socket"
KEY_ID, KEY_SECRET = "0123456789abcdef0123456789abcdef", "a-secret-of-the-tests-" + "x" * 40
_IAM = """[Service]
DynamicUser=yes
LoadCredential=secret:/etc/iam-secret
ExecStart=/usr/bin/broker fake-iam --port 9770 --key-id {key} --key-secret-file %d/secret
"""
SETTINGS = """[iam]
url = "http://127.0.0.1:9770/identity/v3"
[identities.default]
keys = ["/run/credentials/kakaocloud-broker.service/default.toml"]
[[grants]]
identity = "default"
users = ["root", "app"]
[s3]
url = "http://127.0.0.1:9770/s3/{region}"
[log]
audit = "journald"
"""


def install(machine: Machine, package: Path) -> str:
    """What the package's installation says."""
    machine.copy(package, "/srv/package.deb")
    return machine.run(
        "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends /srv/package.deb 2>&1"
    )


def prepare(machine: Machine, settings: str = SETTINGS) -> None:
    """An IAM of its own, an encrypted key and the settings; the broker is not started."""
    machine.run("useradd --system app")
    machine.write("/etc/iam-secret", KEY_SECRET, 0o600)
    machine.write("/etc/systemd/system/fake-iam.service", _IAM.format(key=KEY_ID))
    machine.run("systemctl daemon-reload && systemctl start fake-iam")
    machine.until("curl -sf http://127.0.0.1:9770/_fake/")
    encrypted = "/etc/credstore.encrypted/kakaocloud-broker.default.toml"
    machine.write("/srv/key", f'id = "{KEY_ID}"\nsecret = "{KEY_SECRET}"\n', 0o600)
    machine.run(
        f"install -d -m 0700 /etc/credstore.encrypted && systemd-creds encrypt --name=default.toml /srv/key {encrypted} && rm /srv/key"
    )
    folder = "/etc/systemd/system/kakaocloud-broker.service.d"
    machine.run(
        f"install -D -m 0644 /opt/kakaocloud-broker/share/doc/credentials.conf {folder}/credentials.conf"
    )
    machine.write("/etc/kakaocloud-broker/broker.toml", settings)
    machine.run("systemctl daemon-reload")


def drop_in(machine: Machine, name: str, content: str) -> None:
    """A drop-in of the administrator, in force from the next start on."""
    machine.write(f"/etc/systemd/system/kakaocloud-broker.service.d/{name}.conf", content)
    machine.run("systemctl daemon-reload")
