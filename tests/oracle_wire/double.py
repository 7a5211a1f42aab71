"""What tests take of the double, in one place; importing it needs what the driver brings along."""

from oracle_wire.backends import counting, failing, giving
from oracle_wire.personality import PERSONALITIES
from oracle_wire.rows import NUMBER, Answer, Column, OraError
from oracle_wire.server import OracleDouble
from oracle_wire.session import Backend, Session

__all__ = [
    "NUMBER",
    "PERSONALITIES",
    "Answer",
    "Backend",
    "Column",
    "OraError",
    "OracleDouble",
    "Session",
    "counting",
    "failing",
    "giving",
]
