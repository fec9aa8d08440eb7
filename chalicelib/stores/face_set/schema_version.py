"""Reads the schema's version, and says which versions this code runs with."""

from __future__ import annotations

from chalicelib.stores.database.base import Database, DatabaseFault, Fault, Transaction

# The oldest version of the schema that this code runs with. Each later migration leaves it below the newest version, so
# new code runs before its migration: CONTRIBUTING.md, "A database migration". The first nine were not made that way.
LOWEST_VERSION = 9


def version_of(transaction: Transaction) -> int:
    return int(transaction.query("SELECT COALESCE(MAX(version), 0) FROM schema_version")[0][0])


def is_behind(database: Database) -> bool:
    """Return whether the schema is older than this code can run with, or missing.

    Raises
    ------
    ServiceError
        As `Database.write` does.
    """

    def below_lowest(transaction: Transaction) -> bool:
        try:
            return version_of(transaction) < LOWEST_VERSION
        except DatabaseFault as error:
            if error.fault is not Fault.SCHEMA:
                raise
            return True

    return database.write(below_lowest)
