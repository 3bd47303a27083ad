"""The option that names the settings file."""

from pathlib import Path

import click

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The settings; default: $KAKAOCLOUD_BROKER_CONFIG, else /etc/kakaocloud-broker/broker.toml if it exists.",
)
