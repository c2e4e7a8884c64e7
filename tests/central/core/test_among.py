"""Lists of values in few different statements."""

from __future__ import annotations

from sqlalchemy.sql.elements import BindParameter
from sqlalchemy.sql.visitors import iterate

from central.core.access.tables import AdminKey
from central.core.db.among import among


def test_lists_have_few_lengths() -> None:
    """A list of any length up to a round has its values, the last one as often as it takes to a power of two."""
    lengths = set()
    for number in range(101):
        values = [str(each) for each in range(number)]
        [parameter] = [each for each in iterate(among(AdminKey.id, values)) if isinstance(each, BindParameter)]
        given: list[str] = parameter.value or []
        assert set(given) == set(values)
        lengths.add(len(given))
    assert lengths == {0, 1, 2, 4, 8, 16, 32, 64, 128}
