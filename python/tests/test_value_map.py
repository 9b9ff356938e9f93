"""Maps of values: which policies make a pair, and which states they are compared on."""

import numpy as np
import pytest

from r2pac.errors import DataError, SettingsError
from r2pac.value_map import Trained, Values, draw_rows, require_pair


def values(*rows):
    rows = np.array(rows)
    return Values(rows, rows + 0.5, -rows, rows > 2)


def test_both_policies_are_asked_about_the_same_states():
    plain, penalised = values(*range(0, 60, 2)), values(*range(0, 60, 3))  # 20 rows at least, 10 in common
    with pytest.raises(DataError, match="only 10 states"):
        draw_rows(plain, penalised, 5, 0)
    plain, penalised = values(*range(0, 600, 2)), values(*range(3, 600, 3))
    a, b = draw_rows(plain, penalised, 40, 1)
    assert np.array_equal(plain.row[a], penalised.row[b])
    assert len(a) == len(set(a)) == 40
    again, other = draw_rows(plain, penalised, 40, 1), draw_rows(plain, penalised, 40, 2)
    assert np.array_equal(a, again[0]) and not np.array_equal(a, other[0])
    assert len(draw_rows(plain, penalised, 10**6, 1)[0]) == 99  # all that both have


def test_a_pair_has_one_data_set_and_one_policy_without_the_penalty():
    plain = Trained("BallRun", "r2pac", "f", "none", 0.1)
    penalised = plain._replace(penalty="absorbing")
    require_pair(plain, penalised)
    require_pair(plain, penalised._replace(penalty="direct", method="safe-chunks"))
    for one, other, kind, where in (
        (penalised, penalised, SettingsError, "--plain"),
        (plain, plain, SettingsError, "--penalised"),
        (plain, penalised._replace(data="g"), DataError, ""),
    ):
        with pytest.raises(kind) as refusal:
            require_pair(one, other)
        assert refusal.value.where == where and refusal.value.todo
