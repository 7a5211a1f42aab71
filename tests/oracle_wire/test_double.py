"""The double by itself, as the driver sees it."""

from __future__ import annotations

import math
from datetime import datetime

import oracledb
import pytest

from oracle_wire.double import NUMBER, PERSONALITIES, Answer, OracleDouble, Session


@pytest.mark.parametrize("name", PERSONALITIES)
def test_binds_arrive(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The double reads what the driver binds, one row or many, and answers a ping."""
    bound: list[object] = []

    def answer(sql: str, binds: list[object], _session: Session) -> Answer | None:
        bound.extend(binds)
        if sql.startswith("INSERT"):
            return None
        return Answer((NUMBER("C1", 19, 0),), [(1,)])

    noon = datetime(2016, 1, 1, 12, 30, 15, 123456)  # noqa: DTZ001  an Oracle TIMESTAMP has no zone
    values = [-(2**63), 1, "β", None, noon, -0.5, math.inf]
    monkeypatch.setattr(OracleDouble, "personality", PERSONALITIES[name])
    with OracleDouble(answer) as double:
        login = {"user": double.user, "password": double.password, "dsn": double.dsn}
        with oracledb.connect(**login) as connection, connection.cursor() as cursor:
            doubles = [oracledb.DB_TYPE_BINARY_DOUBLE] * 2
            cursor.setinputsizes(*[None] * 4, oracledb.DB_TYPE_TIMESTAMP, *doubles)
            cursor.execute("SELECT 1 FROM dual WHERE :1 + :2 + :3 + :4 + :5 + :6 + :7 > 0", values)
            assert cursor.fetchall() == [(1,)]
            connection.ping()
            with connection.cursor() as writer:
                writer.executemany("INSERT INTO t VALUES (:1, :2)", [(1, "a"), (2, None)])
                writer.executemany("INSERT INTO t VALUES (:1, :2)", [(3, "c"), (4, "d"), (5, "e")])
                assert writer.rowcount == 3
            connection.commit()
        assert double.sessions[0].pings == 1
    assert bound == [*values, 1, "a", 2, None, 3, "c", 4, "d", 5, "e"]
