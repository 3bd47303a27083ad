"""Reads the settings: the file, over it the variables, under both the defaults; then checks all of it at once."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from broker.core.errors import ConfigError, Problem
from broker.identity.trouble import unopened
from broker.settings.defaults import default_identity, default_listener
from broker.settings.draft import Draft
from broker.settings.known import unknown
from broker.settings.misplaced import misplaced
from broker.settings.places import place_problems
from broker.settings.references import reference_problems
from broker.settings.sentences import problems_of
from broker.settings.tree import Settings
from broker.settings.urls import realm_problems, url_problems
from broker.settings.variables import PREFIX, overlay

DEFAULT_FILE = Path("/etc/kakaocloud-broker/broker.toml")


def load(config: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings of a broker started so; raises ConfigError with every problem found.

    `config` is the file named on the command line. A file that was named must exist; the standard one need not.
    """
    draft = _drafted(config, environ)
    overlay(draft, environ)
    default_identity(draft, environ, DEFAULT_FILE)
    default_listener(draft, environ)
    for key in [key for key in draft.table if key not in Settings.model_fields]:
        # Taken out here, because the class would take some names for instructions to itself (`_env_file`).
        del draft.table[key]
        draft.problems.append(unknown((key,), draft))
    secrets = [*misplaced(draft)]
    problems = [*draft.problems, *url_problems(draft), *reference_problems(draft)]
    settings = None
    try:
        settings = Settings.model_validate(draft.table)
        problems += () if problems else realm_problems(settings, draft.where)
        file = None if draft.file is None else Path(draft.file)
        problems += place_problems(settings, file, environ, draft.where)
    except ValidationError as error:
        problems += problems_of(error, draft)
    if settings is None or problems or secrets:
        # Out here, because the library's error carries the values along. A secret is not also told to be no path.
        places = {secret.where for secret in secrets}
        raise ConfigError(*secrets, *(problem for problem in problems if problem.where not in places))
    return settings


def named_file(config: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The file that somebody named, on the command line or in the environment."""
    variable = environ.get(f"{PREFIX}CONFIG")
    return config or (Path(variable) if variable else None)


def _drafted(config: Path | None, environ: Mapping[str, str]) -> Draft:
    named = named_file(config, environ)
    path = named or DEFAULT_FILE
    try:
        with path.open("rb") as file:
            return Draft(file=str(path), table=tomllib.load(file))
    except FileNotFoundError as error:
        if named is None:
            return Draft(file=None)
        problem = unopened(error, str(path))
    except OSError as error:
        problem = unopened(error, str(path))
    except UnicodeDecodeError:
        problem = Problem(str(path), "is not UTF-8 text", "save it as UTF-8")
    except RecursionError:
        problem = Problem(str(path), "is nested too deeply", "write it flat, as the documentation shows")
    except tomllib.TOMLDecodeError as error:
        problem = Problem(str(path), f"is not TOML{_place(error)}", "correct the line")
    raise ConfigError(problem)


def _place(error: tomllib.TOMLDecodeError) -> str:
    """Only where it is: the parser's own words may repeat what it read."""
    _, at, place = str(error).rpartition("(at line ")
    return f" (line {place.removesuffix(')')})" if at else " (it ends too early)"
