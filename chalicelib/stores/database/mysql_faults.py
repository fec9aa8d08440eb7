"""Maps the error numbers of MySQL and MariaDB to faults. All numbers from 1000 to 4250 were checked.

https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html, client-error-reference.html and
global-error-reference.html, https://mariadb.com/kb/en/mariadb-error-codes

Numbers missing here are permanent errors and give 500: a wrong statement, a refused login, a damaged table, a limit
that the same statement would exceed again. The other errors pass by themselves, or once an operator has made room.
"""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.stores.database.base import Fault

# The connection is unusable; a new one may work.
_LOST = {
    0: "PyMySQL's own: the socket is already closed",
    1053: "the server is shutting down",
    1077: "the server has shut down",
    1078: "the server was stopped by a signal",
    1079: "the server has shut down",
    1080: "the server forces a close",
    1152: "the connection was aborted",
    1156: "packets out of order",
    1158: "reading from the network failed",
    1159: "reading from the network took too long",
    1160: "writing to the network failed",
    1161: "writing to the network took too long",
    1184: "the new connection was aborted",
    1927: "MariaDB: the connection was killed",
    2006: "the server has gone away",
    2013: "lost during a statement, or a timeout",
    2014: "commands out of order",
    2027: "a malformed packet",
    2055: "lost, with a system error",
    3169: "the session was killed",
    4031: "disconnected because of inactivity",
    # Read-only: after a failover only a new connection reaches the new primary.
    1036: "the table is read-only",
    1290: "the server runs with --read-only",
    1792: "the session is read-only",
    1836: "the server is in read-only mode",
    1874: "InnoDB is in read-only mode",
}

# Another transaction interfered; a retry may succeed.
_CONFLICT = {
    1020: "MariaDB: the row has changed since it was read",
    1205: "a lock wait timed out",
    1213: "a deadlock",
    1412: "the table definition has changed, as in a migration",
    1613: "the transaction was rolled back: it took too long",
    1614: "the transaction was rolled back: a deadlock",
    1689: "the lock wait was aborted by a pending exclusive lock",
    3058: "a deadlock of GET_LOCK",
    3101: "group replication: another server has changed the same rows",
}

_UNAVAILABLE = {
    # The disk is full, or a file cannot be written or read, which may be how a full disk shows.
    3: "a file cannot be written",
    20: "the disk is full",
    28: "the system's error number for a full disk",
    1004: "a file cannot be created",
    1021: "the disk is full",
    1023: "a file cannot be closed",
    1024: "a file cannot be read",
    1026: "a file cannot be written",
    1030: "the storage engine's own error: 28 for a full disk",
    1114: "the table is full, for lack of space",
    1180: "COMMIT failed, as on a full disk",
    1810: "InnoDB cannot read",
    1811: "InnoDB cannot write",
    1878: "a temporary file cannot be written",
    3019: "no room for the undo log",
    4139: "MariaDB: the index's file is full",
    # Out of memory, threads, files, locks or connections.
    5: "out of memory",
    23: "out of file handles",
    1015: "a file cannot be locked",
    1016: "a file cannot be opened: too many are open",
    1037: "out of memory",
    1040: "too many connections",
    1041: "out of memory",
    1135: "a thread cannot be created",
    1203: "too many connections of this user",
    1206: "the lock table is full",
    1226: "the user's limit is reached",
    1637: "too many transactions",
    2001: "a socket cannot be created",
    2008: "the client is out of memory",
    3015: "the storage engine is out of memory",
    # Unreachable, or not ready.
    1042: "the host's name cannot be resolved",
    1043: "the handshake failed",
    1047: "Galera: the node is not ready",
    1129: "the host is blocked after many errors",
    2002: "no connection",
    2003: "no connection to the host",
    2005: "unknown host",
    2012: "the handshake failed",
    3032: "the server is offline for maintenance",
    3100: "group replication could not commit",
    3168: "the server is not available",
    9501: "RDS Proxy: no connection became free in time",
    # Interrupted by another session or by a time limit.
    1028: "sorting was interrupted",
    1297: "an error that the storage engine calls temporary",
    1317: "the statement was interrupted",
    1969: "MariaDB: the statement took too long",
    3024: "the statement took too long",
}

_SCHEMA = {
    1054: "unknown column",
    1060: "the column already exists",
    1061: "the index already exists",
    1091: "no such column to drop",
    1146: "no such table",
}

FAULT_OF_CODE: Mapping[int, Fault] = {
    1062: Fault.DUPLICATE,
    **dict.fromkeys(_LOST, Fault.LOST),
    **dict.fromkeys(_CONFLICT, Fault.CONFLICT),
    **dict.fromkeys(_UNAVAILABLE, Fault.UNAVAILABLE),
    **dict.fromkeys(_SCHEMA, Fault.SCHEMA),
}
