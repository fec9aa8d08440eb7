"""Creates the face set's database and its two users, with an administrator's login.

`face_search` reads and writes rows; `face_search_owner` may also change the tables. Neither has a password: over TLS,
RDS accepts a token signed by a role with rds-db:connect.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace

from chalicelib.settings import SettingsError
from chalicelib.stores.database.base import Database, Transaction
from chalicelib.stores.database.mysql import MySQLDatabase

USER = "face_search"
OWNER = "face_search_owner"
# Privileges in the face set's database; neither user has any elsewhere.
PRIVILEGES = {
    USER: "SELECT, INSERT, UPDATE, DELETE",
    OWNER: "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES",
}
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.DBAccounts.html
RDS_AUTHENTICATION = "IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'"

# Without `_`, which is a wildcard in GRANT. With partial_revokes on, as an account's administrator may set it, it is no
# wildcard there and cannot be escaped: https://dev.mysql.com/doc/refman/8.4/en/partial-revokes.html
_DATABASE_NAME = re.compile(r"[A-Za-z0-9$-]{1,64}", re.ASCII)


def create(
    database: Database,
    administrator: str,
    password: str,
    authentication: str = RDS_AUTHENTICATION,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Create the database and both users unless they exist, and grant the users their privileges.

    May run any number of times: it changes an existing database or user only by granting missing privileges.

    Parameters
    ----------
    database
        The database to create, on its server. The login's user and password are not used.
    administrator, password
        The login of a user who may create users and grant privileges, such as RDS's master user.
    authentication
        The clause of CREATE USER that sets how the users log in.

    Raises
    ------
    SettingsError
        When the database is not on a MySQL server, or the login has no `ca`. Also when the database's name is not 1 to
        64 letters, digits, $ and -.
    ServiceError
        As `Database.write` does.
    """
    if not isinstance(database, MySQLDatabase):
        raise SettingsError("DATABASE_URL must name a MySQL server: SQLite has no users")
    login = database.login
    if login.ca is None:
        raise SettingsError("DATABASE_URL must have ca=: the administrator's password may only go to a verified server")
    name = login.database or ""
    if not _DATABASE_NAME.fullmatch(name):
        raise SettingsError("DATABASE_URL must name a database of 1 to 64 letters, digits, $ and -")

    def work(transaction: Transaction) -> None:
        transaction.execute(f"CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        for user, privileges in PRIVILEGES.items():
            transaction.execute(f"CREATE USER IF NOT EXISTS '{user}'@'%' {authentication} REQUIRE SSL")
            transaction.execute(f"GRANT {privileges} ON `{name}`.* TO '{user}'@'%'")

    server = MySQLDatabase(replace(login, user=administrator, password=password, database=None, iam=False), sleep)
    try:
        server.write(work)
    finally:
        server.close()
