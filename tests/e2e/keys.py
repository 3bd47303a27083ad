"""Access keys on the disk, in each form that a broker reads."""

import json
import os
from pathlib import Path

from tests.contracts.world import Key
from tests.e2e.spoken import SPOKEN


def wrong(key: Key) -> Key:
    """The key with a secret that differs at its front, which is all that bcrypt looks at."""
    front = "x" if key.secret[0] != "x" else "y"
    return Key(key.id, key.name, key.user_id, front + key.secret[1:])


def directory(folder: Path, key: Key) -> str:
    """Method 1: a folder with `id` and `secret`. Called again, it corrects the files in place."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    private(folder / "id", key.id)
    private(folder / "secret", key.secret)
    return str(folder)


def toml_by_name(path: Path, key: Key) -> str:
    """Method 2: one TOML file with the key's name and its owner."""
    fields = {"name": key.name, "user_id": key.user_id, "secret": key.secret}
    private(path, "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items()))
    SPOKEN.guard(key.secret, "an access secret")
    return str(path)


def projected(folder: Path, key: Key) -> str:
    """A folder as Kubernetes mounts a Secret. Called again, it swaps the link `..data` at once to new files."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    version = folder / f"..{len(list(folder.iterdir()))}"
    directory(version, key)
    link = folder / "..data_tmp"
    link.symlink_to(version.name)
    link.rename(folder / "..data")
    for name in ("id", "secret"):
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    return str(folder)


def environment(key: Key) -> dict[str, str]:
    """Method 1 by KakaoCloud's variables."""
    SPOKEN.guard(key.secret, "an access secret")
    return {
        "KAKAOCLOUD_APPLICATION_CREDENTIAL_ID": key.id,
        "KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET": key.secret,
    }


def private(path: Path, text: str) -> None:
    """Write a file that is the owner's alone from its first instant; what is there is written over in place."""
    with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
    if path.name == "secret" and text:
        SPOKEN.guard(text, "an access secret")
