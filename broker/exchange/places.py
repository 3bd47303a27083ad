"""Where object storage is, region by region, and so to which hosts a token may go; pure.

- The address is the operator's; a caller may choose a region where the address has a place for one, and nothing else.
- A region is one label of a host's name: no dot, slash or colon, so that it never ends a name nor leaves a path.
- In a host's name the place stands before its last two labels: whatever a caller chooses is below the operator's domain.
- KakaoCloud's own address takes tokens of KakaoCloud's own IAM alone. A token of another realm would be a stranger's
  there: for such an identity the operator names the object storage.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from broker.outward.address import url_problem
from broker.outward.peer import Peer
from broker.outward.transport import Endpoint

REGION = "kr-central-2"
PLACE = "{region}"
KAKAOCLOUD = f"https://objectstorage.{PLACE}.kakaocloud.com"
_KAKAOCLOUD_IAM = "iam.kakaocloud.com"
_REGION = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")

STORAGE = Peer(
    name="object storage",
    kind="KakaoCloud's object storage",
    url="s3.url",
    ca_file="s3.ca_file",
    example=KAKAOCLOUD,
    secret="tokens",  # noqa: S106  (the word for what travels)
    # Some 2 KiB are usual. Reading it takes the loop: 0.3 ms a KiB at worst, and nobody may wait longer than for 50 ms.
    largest=32 * 1024,
)


@dataclass(frozen=True, slots=True)
class Places:
    """The addresses of object storage, by region."""

    template: str
    region: str  # the usual one

    def endpoint(
        self, ca_file: Path | None, timeout: float, connect_timeout: float, *, insecure: bool
    ) -> Endpoint:
        """That of the usual region; what its sentences say to mend is the setting that gave the address."""
        mend = "s3.region" if self.template == KAKAOCLOUD else STORAGE.url
        url = self.template.replace(PLACE, self.region)
        return Endpoint(
            url, ca_file, timeout, connect_timeout, insecure=insecure, peer=replace(STORAGE, url=mend)
        )

    def url(self, region: str) -> str | None:
        """Where this region's is; None: a caller may not choose it."""
        if region == self.region or (PLACE in self.template and is_region(region)):
            return self.template.replace(PLACE, region)
        return None


def places(url: str | None, region: str, iam_url: str) -> Places | None:
    """Those for tokens of this IAM; None: nobody has told where they may go."""
    if url is not None:
        return Places(url, region)
    return Places(KAKAOCLOUD, region) if urlsplit(iam_url).hostname == _KAKAOCLOUD_IAM else None


def is_region(text: str) -> bool:
    """Whether it can be a region's name."""
    return _REGION.fullmatch(text) is not None


def template_problem(url: str, *, insecure: bool) -> str | None:
    """What is wrong with an address of object storage, as a sentence that may follow its name; None when it is good."""
    filled = url.replace(PLACE, REGION)
    if url.count(PLACE) > 1 or "{" in filled or "}" in filled:
        return "holds braces; of those only {region} may stand in it, once"
    if problem := url_problem(STORAGE, filled, insecure=insecure):
        return problem
    before, place, after = url.partition("://")[2].partition("/")[0].partition(PLACE)
    if place and not (
        re.fullmatch(r"(?:.*\.)?", before) and re.fullmatch(r"(?:\.[^.:]+){2,}(?::\d+)?", after)
    ):
        return "lets callers choose the host; write {region} as one part of its name before the last two, or in the path"
    return None
