"""Fields become a key, or sentences."""

import pytest

from broker.core.secret import Secret
from broker.identity.fields import Place, key_of
from tests.identity.keys import BY_ID, BY_NAME, ID_FIELDS, NAME_FIELDS, SECRET, refusal

PLACE = Place("k", at=lambda field: f"k/{field}", called=lambda field: f"`{field}`")
ALONE = "write the value alone: no quotes, spaces or further lines"


def secrets(fields: dict[str, str]) -> dict[str, Secret]:
    return {field: Secret(value) for field, value in fields.items()}


def test_both_methods_are_understood():
    assert key_of(secrets(ID_FIELDS), PLACE) == BY_ID
    assert key_of(secrets(NAME_FIELDS), PLACE) == BY_NAME


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_one_line_end_is_stripped(end: str):
    assert key_of(secrets({field: value + end for field, value in ID_FIELDS.items()}), PLACE) == BY_ID


def test_a_name_may_hold_what_people_type():
    key = key_of(secrets({**NAME_FIELDS, "name": "백업 서버"}), PLACE)
    assert key.label == "백업 서버"


@pytest.mark.parametrize(
    ("fields", "sentences"),
    [
        (
            {},
            [
                "k: names no access key; give `id` and `secret`, or `name`, `user_id` and `secret`",
            ],
        ),
        ({"id": "x"}, ["k/secret: is missing; give the key's secret, which the console shows only once"]),
        (
            {"name": "x", "secret": SECRET},
            ["k/user_id: is missing; a key given by name needs its user's id too"],
        ),
        (
            {**ID_FIELDS, **NAME_FIELDS},
            [
                (
                    "k: gives a key both by `id` and by `name`; "
                    "keep `id` and `secret`, or `name`, `user_id` and `secret`"
                ),
            ],
        ),
        (
            {**ID_FIELDS, "user_id": "x"},
            [
                (
                    "k: gives a key both by `id` and by `user_id`; "
                    "keep `id` and `secret`, or `name`, `user_id` and `secret`"
                ),
            ],
        ),
        ({**ID_FIELDS, "id": ""}, [f"k/id: is empty; {ALONE}"]),
        ({**ID_FIELDS, "id": "\n"}, [f"k/id: is empty; {ALONE}"]),
        ({**ID_FIELDS, "secret": SECRET + "\n\n"}, [f"k/secret: has more than one line; {ALONE}"]),
        ({**ID_FIELDS, "secret": SECRET + "\r"}, [f"k/secret: has more than one line; {ALONE}"]),
        ({**ID_FIELDS, "secret": SECRET + " "}, [f"k/secret: holds white space; {ALONE}"]),
        ({**ID_FIELDS, "secret": SECRET + "\t" + SECRET}, [f"k/secret: holds white space; {ALONE}"]),
        ({**NAME_FIELDS, "name": " x"}, [f"k/name: holds white space; {ALONE}"]),
        (
            {**ID_FIELDS, "secret": SECRET + "\0"},
            [f"k/secret: holds a character that cannot be printed; {ALONE}"],
        ),
        ({**ID_FIELDS, "id": "é"}, [f"k/id: holds a character that is not ASCII; {ALONE}"]),
        ({**ID_FIELDS, "secret": SECRET * 50}, [f"k/secret: is longer than 1024 characters; {ALONE}"]),
        (
            {"id": "", "secret": "a b"},
            [f"k/id: is empty; {ALONE}", f"k/secret: holds white space; {ALONE}"],
        ),
    ],
)
def test_every_problem_is_told_and_no_value(fields: dict[str, str], sentences: list[str]):
    assert sentences == refusal(lambda: key_of(secrets(fields), PLACE))


SHAPED = (
    "rHMkBT1rYp-KjI4_uGThE38YalXINX5erBxPLudZ0EMZXB0H14_IMGjcPlYwgRruas0VLLQ4fQ3oI2EzGLTF2Q",
    "553595c627c1d8708c5c4b7e5aae4cfbd9dff168882f3576997dfa4fddf55dd22fb0cd",
    "gAAAAABmZm9v" + "aZ09-_" * 28 + "==",
)


@pytest.mark.parametrize("secret", SHAPED)
@pytest.mark.parametrize("field", ["id", "name", "user_id"])
def test_a_secret_under_another_name_is_refused_for_ids_and_names_are_shown(field: str, secret: str):
    given = {**(ID_FIELDS if field == "id" else NAME_FIELDS), field: secret}
    told = refusal(lambda: key_of(secrets(given), PLACE))
    assert told == [f"k/{field}: looks like a secret; put each value under its own name"]


def test_a_secret_of_any_shape_is_found_where_it_changed_places_with_the_id():
    told = refusal(lambda: key_of(secrets({"id": SECRET, "secret": BY_ID.id}), PLACE))
    assert told == ["k: has `id` and `secret` swapped; swap them"]
    assert key_of(secrets({"id": BY_ID.id, "secret": "cd" * 16}), PLACE).label == BY_ID.id


@pytest.mark.parametrize("secret", SHAPED)
def test_a_secret_in_its_own_place_may_look_like_one(secret: str):
    assert key_of(secrets({**ID_FIELDS, "secret": secret}), PLACE).secret == Secret(secret)
