"""The double by itself, as the driver sees it."""

from __future__ import annotations

import math
from datetime import datetime

import oracledb
import pyarrow as pa
import pytest

from oracle_wire.double import NUMBER, PERSONALITIES, Answer, Column, OracleDouble, Session


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


@pytest.mark.parametrize("name", PERSONALITIES)
def test_a_stream_arrives(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The double reads what the driver streams by direct path, long rows in several pieces, and no INSERT."""
    texts = [f"T{number}" for number in range(20)]
    columns = (
        NUMBER("N", 19, 0),
        Column("X", "BINARY_DOUBLE"),
        *(Column(text, "VARCHAR2") for text in texts),
    )
    names = [column.name for column in columns]
    rows = [
        (2**63 - 1, -0.5, *["x" * 300] * 20),
        (None, math.inf, *[None] * 20),
        (-(2**63), None, *["β☃" * 800] * 20),
    ]
    loaded: list[tuple[str, list[object]]] = []
    kept: list[bool] = []

    def answer(sql: str, binds: list[object], session: Session) -> Answer | None:
        if sql.startswith("SELECT"):
            return Answer(columns, [])
        loaded.append((sql, binds))
        session.at_end_of_transaction = kept.append
        return None

    monkeypatch.setattr(OracleDouble, "personality", PERSONALITIES[name])
    with OracleDouble(answer) as double:
        login = {"user": double.user, "password": double.password, "dsn": double.dsn}
        with oracledb.connect(**login) as connection:
            batch = pa.table(dict(zip(names, zip(*rows, strict=True), strict=True)))
            connection.direct_path_load("OWNER", "STARS", names, batch, batch_size=2)
        assert not [sql for sql in double.sessions[0].statements if "STARS" in sql]
    assert {sql.partition(" (")[0] for sql, _ in loaded} == {'INSERT INTO "OWNER"."STARS"'}
    assert [tuple(binds) for _, binds in loaded] == rows
    assert kept[0] is True
