"""What every process of the run has said, and every secret that none of them may have said.

- Secrets are noted when they are made or handed out; a check names the kind and the place, never the secret.
- At the end of the run everything is compared with everything: a process may have said what another was given.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Spoken:
    """One run's secrets and outputs."""

    secrets: dict[str, str] = field(default_factory=dict)  # the text, and its kind
    outputs: list[tuple[str, str]] = field(default_factory=list)  # where, and the text

    def guard(self, secret: str, kind: str) -> None:
        """From now on nobody may say this."""
        assert secret, "an empty secret would be found everywhere"
        self.secrets[secret] = kind

    def said(self, where: str, text: str) -> None:
        """Keep what a process said, and check it against what is known by now."""
        self.outputs.append((where, text))
        for secret, kind in self.secrets.items():
            if secret in text:
                raise AssertionError(f"{where} holds {kind}")

    def check_all(self) -> None:
        """Everything that was said against every secret."""
        assert not self.leaks()

    def leaks(self) -> set[str]:
        """What was said that nobody may say: where, and what kind of secret."""
        return {
            f"{where} holds {kind}"
            for where, text in self.outputs
            for secret, kind in self.secrets.items()
            if secret in text
        }


SPOKEN = Spoken()
