"""What the server does for one client: login, statements, cursors, breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from oracle_wire.channel import BREAK, RESET, Channel
from oracle_wire.direct import DirectPath
from oracle_wire.login import Login, credentials
from oracle_wire.personality import Personality
from oracle_wire.rows import LONG, UTF8, Answer, Column, OraError, Row, decoded, encoded
from oracle_wire.wire import Request, ending, number, octets, status

Backend = Callable[[str, list[object], "Session"], Answer | None]
"""Answers a statement with its binds; None: it was no query. Raises OraError."""

NO_MORE_ROWS = 1403
STOPPED = 1013
TAGS = ("client_identifier", "module", "action", "", "client_info", "", "", "dbop")
"""What a client says of itself, in the order of the wire; the driver leaves the nameless ones empty."""
_CHANGES = ("INSERT", "DELETE", "EXPLAIN PLAN")
DEFINE, EXECUTE, FETCH = 0x10, 0x20, 0x40


@dataclass
class Cursor:
    """A parsed statement, and how far its rows were fetched."""

    sql: str
    columns: tuple[Column, ...] = ()
    rows: Iterator[Row] = field(default_factory=lambda: iter(()))
    bind_types: list[int] = field(default_factory=list)
    lobs_as_text: bool = False
    last: list[bytes] | None = None
    sent: int = 0


class Session:
    """One client at work; backends reach it as their third argument.

    `statements` lists what was executed, `tags` what the client says of itself (module, action, …). A backend
    may set `at_end_of_transaction`, called with whether to keep what was changed, and `at_end`.
    """

    def __init__(
        self,
        channel: Channel,
        backend: Backend,
        password: str,
        *,
        personality: Personality,
        repeats: bool,
    ) -> None:
        self._channel = channel
        self._personality = personality
        self._ending = partial(ending, is_modern=personality.is_modern)
        self._backend = backend
        self._login = Login(password)
        self._repeats = repeats
        self._cursors: dict[int, Cursor] = {}
        self._last_cursor = 0
        self.in_transaction = False
        self._only_reads = False
        self.statements: list[str] = []
        self.tags: dict[str, str] = {}
        self.pings = 0
        self.at_end_of_transaction: Callable[[bool], object] = lambda _: None
        self.at_end: Callable[[], object] = lambda: None
        self.direct = DirectPath(
            lambda sql, binds: backend(sql, binds, self),
            lambda keep: self._end_transaction(keep=keep),
            is_modern=personality.is_modern,
        )

    @property
    def is_broken(self) -> bool:
        """Whether the client broke in, or is gone."""
        return self._channel.interrupted.is_set()

    def until_broken(self, timeout_s: float = 30) -> None:
        """Be busy until the client breaks; then stop as a real statement does."""
        if not self._channel.interrupted.wait(timeout_s):
            raise OraError(600, "nobody broke in")
        raise OraError(STOPPED, "user requested cancel of current operation")

    def hang_up(self) -> None:
        """Drop the connection as a killed server does."""
        self._channel.close()

    def serve(self) -> None:
        """Answer requests until the client logs off or is gone."""
        try:
            while (packet := self._channel.arrived.get()) is not None:
                if isinstance(packet, int):
                    self._break()
                    continue
                response = self._response(Request(packet, self._next_data))
                if response:
                    self._channel.send(response)
        finally:
            self.at_end()

    def _next_data(self) -> bytes:
        packet = self._channel.arrived.get()
        if not isinstance(packet, bytes):
            raise OraError(12592, "a request ended in its middle")
        return packet

    def _break(self) -> None:
        """Both sides agree that the call is over: markers each way, then the error."""
        self._channel.send_marker(BREAK)
        while (packet := self._channel.arrived.get()) != RESET:
            if packet is None:
                return
        self._channel.interrupted.clear()
        self._channel.send_marker(RESET)
        self._channel.send(self._ending(STOPPED, "ORA-01013: user requested cancel of current operation"))

    def _response(self, request: Request) -> bytes:
        kind = request.byte()
        if kind == 1:
            return _protocol(self._personality)
        if kind == 2:
            return _types_agreed(request)
        while kind == 17:
            self._piggyback(request)
            kind = request.byte()
        function = request.byte()
        self._skip_sequence(request)
        cursor = 0
        try:
            if function in (5, 78, 4):
                cursor = request.number()
                return FUNCTIONS[function](self, request, cursor)
            return SIMPLE[function](self, request)
        except OraError as error:
            if error.code == STOPPED and self._channel.interrupted.is_set():
                if self._channel.out_of_band:
                    self._break()
                return b""  # else the marker in the queue is answered
            return self._ending(error.code, str(error), cursor=cursor)

    def _skip_sequence(self, request: Request) -> None:
        request.byte()
        if self._personality.is_modern:
            request.number()  # the token of a pipeline

    def _piggyback(self, request: Request) -> None:
        code = request.byte()
        self._skip_sequence(request)
        request.byte()
        if code == 105:
            for closed in request.numbers(request.number()):
                self._cursors.pop(closed, None)
        elif code == 135:
            self._tagged(request)
        else:
            raise OraError(3115, f"piggyback {code} is beyond this double")

    def _tagged(self, request: Request) -> None:
        request.byte()
        request.number()
        announced = [_announced(request) for _ in range(4)]
        request.byte()
        request.number()
        announced += [_announced(request) for _ in range(4)]
        for name, length in zip(TAGS, announced, strict=True):
            if length:
                self.tags[name] = (request.octets() or b"").decode()

    def _challenge(self, request: Request) -> bytes:
        credentials(request)
        return self._login.challenge() + status()

    def _admit(self, request: Request) -> bytes:
        _, given = credentials(request)
        if not self._login.accepts(given):
            raise OraError(1017, "invalid username/password; logon denied")
        return self._login.welcome(1, self._personality.release) + status()

    def _ping(self, _: Request) -> bytes:
        self.pings += 1
        return status(in_transaction=self.in_transaction)

    def _commit(self, _: Request) -> bytes:
        return self._end_transaction(keep=True)

    def _roll_back(self, _: Request) -> bytes:
        return self._end_transaction(keep=False)

    def _end_transaction(self, *, keep: bool) -> bytes:
        self.at_end_of_transaction(keep)
        self.in_transaction = self._only_reads = False
        return status()

    def _execute(self, request: Request) -> bytes:
        options, number_of = request.number(), request.number()
        request.byte()
        sql_length = request.number()
        request.raw(1)
        request.number()
        request.raw(2)
        _, limit, _ = request.numbers(3)
        request.byte()
        binds = request.number()
        request.raw(6)
        defines = request.number()
        _skip_to_statement(request)
        sql = (request.octets() or b"").decode() if sql_length else ""
        _, executions, *_, is_query, _, _, _, _, _ = request.numbers(13)
        types = [_column_type(request) for _ in range(defines or binds)]
        if sql:
            self._last_cursor += 1
            number_of = self._last_cursor
            self._cursors[number_of] = Cursor(sql)
        cursor = self._cursors[number_of]
        if options & DEFINE:
            cursor.lobs_as_text = True
            return self._ending(cursor=number_of)
        cursor.bind_types = types
        rows = [_bound(request, types) for _ in range(1 if is_query else executions)]
        return self._run(number_of, rows, limit if options & FETCH else 0, describe=bool(sql))

    def _execute_again(self, request: Request, cursor: int) -> bytes:
        count, options, _ = request.numbers(3)
        types = self._cursors[cursor].bind_types
        is_query = bool(options & EXECUTE)
        rows = [_bound(request, types) for _ in range(1 if is_query else count)]
        return self._run(cursor, rows, count if is_query else 0, describe=False)

    def _run(self, number_of: int, bound: list[list[object]], limit: int, *, describe: bool) -> bytes:
        cursor = self._cursors[number_of]
        self.statements.append(cursor.sql)
        if cursor.sql.startswith(("SET TRANSACTION", "ALTER SESSION")):
            return self._set(cursor.sql)
        if self._only_reads and cursor.sql.startswith(_CHANGES):
            raise OraError(1456, "may not perform insert, delete, update operation inside a READ ONLY ...")
        for binds in bound[:-1]:
            self._backend(cursor.sql, binds, self)
        answer = self._backend(cursor.sql, bound[-1], self)
        if answer is None:
            self.in_transaction |= cursor.sql.startswith(_CHANGES)
            return self._ending(cursor=number_of, rows=len(bound), in_transaction=self.in_transaction)
        cursor.columns, cursor.rows = answer.columns, iter(answer.rows)
        cursor.sent, cursor.last = 0, None
        head = _described(cursor.columns, is_modern=self._personality.is_modern) if describe else b""
        if any(column.kind == "CLOB" for column in cursor.columns) and not cursor.lobs_as_text:
            return head + self._ending(cursor=number_of)
        return head + self._fetched(number_of, limit)

    def _set(self, sql: str) -> bytes:
        if sql.startswith("SET TRANSACTION"):
            if self.in_transaction:
                raise OraError(1453, "SET TRANSACTION must be first statement of transaction")
            self.in_transaction = self._only_reads = True
        return self._ending()

    def _fetch(self, request: Request, cursor: int) -> bytes:
        return self._fetched(cursor, request.number())

    def _fetched(self, number_of: int, limit: int) -> bytes:
        cursor = self._cursors[number_of]
        pieces = [b"\x06\0" + number(0) * 6]
        count = 0
        for row in islice(cursor.rows, limit):
            pieces.append(self._row(cursor, row))
            count += 1
        cursor.sent += count
        if count == limit:
            return b"".join(pieces) + self._ending(cursor=number_of, rows=cursor.sent)
        gone = f"ORA-{NO_MORE_ROWS:05d}: no data found"
        return b"".join(pieces) + self._ending(NO_MORE_ROWS, gone, cursor=number_of, rows=cursor.sent)

    def _row(self, cursor: Cursor, row: Row) -> bytes:
        values = [
            encoded(column, value, as_long=column.kind == "CLOB")
            for column, value in zip(cursor.columns, row, strict=True)
        ]
        last, cursor.last = cursor.last, values
        if not self._repeats or last is None:
            return b"\x07" + b"".join(values)
        new = [value != before for value, before in zip(values, last, strict=True)]
        bits = sum(1 << place for place, is_new in enumerate(new) if is_new)
        vector = bits.to_bytes((len(new) + 7) // 8, "little")
        sent = b"".join(value for value, is_new in zip(values, new, strict=True) if is_new)
        return b"\x15" + number(sum(new)) + vector + b"\x07" + sent


SIMPLE: dict[int, Callable[[Session, Request], bytes]] = {
    118: Session._challenge,
    115: Session._admit,
    94: Session._execute,
    147: Session._ping,
    14: Session._commit,
    15: Session._roll_back,
    9: lambda _session, _request: status(),
    128: lambda session, request: session.direct.prepare(request),
    129: lambda session, request: session.direct.load(request),
    130: lambda session, request: session.direct.end(request),
}
FUNCTIONS: dict[int, Callable[[Session, Request, int], bytes]] = {
    5: Session._fetch,
    78: Session._execute_again,
    4: Session._execute_again,
}
"""Functions of a request by number; these take a cursor."""


def _protocol(personality: Personality) -> bytes:
    charsets = bytes(9) + (2000).to_bytes(2, "big")
    compile_time = bytearray(45)
    compile_time[7] = personality.fields
    run_time = bytearray(7)
    run_time[6] = 0x04  # strings of 32767 bytes
    return b"".join(
        (
            b"\x01\x06\0Double of an Oracle server\0",
            UTF8.to_bytes(2, "little"),
            bytes(3),
            len(charsets).to_bytes(2, "big") + charsets,
            octets(bytes(compile_time)),
            octets(bytes(run_time)),
        )
    )


def _types_agreed(request: Request) -> bytes:
    """Read the client's list of types to its end, and agree."""
    request.raw(5)
    request.octets()
    request.octets()
    while request.raw(2) != b"\0\0":
        request.raw(6)
    return b"\x02\0\0"


def _described(columns: tuple[Column, ...], *, is_modern: bool) -> bytes:
    body = b"".join(column.described(at, is_modern=is_modern) for at, column in enumerate(columns, 1))
    return b"\x10\0" + number(4000) + number(len(columns)) + b"\0" + body + number(0) * 6


def _announced(request: Request) -> int:
    """The length of a value that comes later."""
    request.byte()
    return request.number()


def _skip_to_statement(request: Request) -> None:
    """The part of an execute request that this double has no use for, from the registration on."""
    request.number()
    request.raw(3)
    request.number()
    request.byte()
    request.numbers(2)
    for is_closed_by_pointer in (True, False, True, False):  # row counts, signature, SQL id, chunks
        _announced(request)
        if is_closed_by_pointer:
            request.byte()


def _column_type(request: Request) -> int:
    code = request.byte()
    request.raw(3)
    request.numbers(6)
    request.byte()
    request.numbers(2)
    return code


def _bound(request: Request, types: list[int]) -> list[object]:
    """The values of one row of binds, of which the long ones are sent last."""
    if not types:
        return []
    request.byte()  # a row follows
    found = {}
    for place, code in sorted(enumerate(types), key=lambda item: item[1] == LONG):
        found[place] = decoded(code, request.octets())
    return [found[place] for place in range(len(types))]
