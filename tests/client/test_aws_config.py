"""Which logins of AWS' own configuration win over the broker's."""

import pytest

from broker.client.aws_config import preferred_login


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", None),
        ("[default]\nregion = kr\nendpoint_url = https://s3.example\n", None),
        ("[default]\nregion = kr\naws_access_key_id = K\n", "aws_access_key_id"),
        ("[profile default]\nsso_session=x\n", "sso_session"),
        ("[ default ] # mine\nROLE_ARN = r\n", "role_arn"),
        ("[profile other]\nrole_arn = r\n[default]\nregion = kr\n", None),
        ("[default]\nregion = kr\n[profile other]\nrole_arn = r\n", None),
        ("[default]\n# aws_access_key_id = K\n;role_arn = r\n", None),
        ("[default]\ns3 =\n  role_arn = nested\n", None),
        ("[default]\ncredential_process = /opt/broker s3-credentials shop\n", None),
        ("[default]\ncredential_process = vault aws\n", "credential_process"),
        ("role_arn = r\nnonsense\n[", None),
    ],
)
def test_the_default_profile_alone_counts_and_the_brokers_own_command_is_none(text: str, found: str | None):
    assert preferred_login(text.splitlines()) == found
