"""The users of the face set's database, which an administrator creates once.

`face_search` reads and writes rows; `face_search_owner` may change the tables too. Neither has a password: RDS lets in
who shows a token that is signed by a role with rds-db:connect, over TLS.
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
# What each may do in the face set's database, and nowhere else.
PRIVILEGES = {
    USER: "SELECT, INSERT, UPDATE, DELETE",
    OWNER: "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES",
}
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.DBAccounts.html
RDS_AUTHENTICATION = "IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'"

_DATABASE_NAME = re.compile(r"[A-Za-z0-9_$-]{1,64}", re.ASCII)


def create(
    database: Database,
    administrator: str,
    password: str,
    authentication: str = RDS_AUTHENTICATION,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Create the database and both users where they are not there, and grant them what they may do.

    May run any number of times: a database or a user that is there stays as it is, but for the privileges it lacks.

    Parameters
    ----------
    database
        The one to be created, on its server; whom it logs in as does not matter.
    administrator, password
        Of a user of the server who may create users and grant them privileges: RDS's master user.
    authentication
        How the users log in, as a clause of CREATE USER.

    Raises
    ------
    SettingsError
        When it is not on a MySQL server, the server would not be verified, or the name is not fit to be created.
    ServiceError
        As `Database.write` does.
    """
    if not isinstance(database, MySQLDatabase):
        raise SettingsError("DATABASE_URL must name a MySQL server: no other database has users")
    login = database.login
    if login.ca is None:
        raise SettingsError("DATABASE_URL must have ca=: the administrator's password is for a verified server only")
    name = login.database or ""
    if not _DATABASE_NAME.fullmatch(name):
        raise SettingsError("DATABASE_URL must name a database of letters, digits, _, $ and -, for it to be created")
    # Where privileges are granted, _ stands for any character.
    pattern = name.replace("_", r"\_")

    def work(transaction: Transaction) -> None:
        transaction.execute(f"CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        for user, privileges in PRIVILEGES.items():
            transaction.execute(f"CREATE USER IF NOT EXISTS '{user}'@'%' {authentication} REQUIRE SSL")
            transaction.execute(f"GRANT {privileges} ON `{pattern}`.* TO '{user}'@'%'")

    server = MySQLDatabase(replace(login, user=administrator, password=password, database=None, iam=False), sleep)
    try:
        server.write(work)
    finally:
        server.close()
