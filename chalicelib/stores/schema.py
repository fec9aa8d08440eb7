"""The tables of the face set, and how a database gets from any earlier version of them to the newest."""

from __future__ import annotations

from chalicelib.stores.database import Database, Transaction

_TYPES = {
    "mysql": {
        "id": "BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY",
        "integer": "BIGINT NOT NULL",
        "token": "CHAR(24) CHARACTER SET ascii COLLATE ascii_bin NOT NULL",
        "name": "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL",
        "word": "VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL",
        "embedding": "VARBINARY(8192) NOT NULL",
        "packed": "MEDIUMBLOB NOT NULL",
        "real": "DOUBLE NOT NULL",
        "operation": "TINYINT NOT NULL",
        "end": "ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    },
    "sqlite": {
        # AUTOINCREMENT: without it the id of a removed face would be used again.
        "id": "INTEGER PRIMARY KEY AUTOINCREMENT",
        "integer": "INTEGER NOT NULL",
        "token": "TEXT NOT NULL",
        "name": "TEXT NOT NULL",
        "word": "TEXT NOT NULL",
        "embedding": "BLOB NOT NULL",
        "packed": "BLOB NOT NULL",
        "real": "REAL NOT NULL",
        "operation": "INTEGER NOT NULL",
        "end": "",
    },
}

_LEDGER = "CREATE TABLE IF NOT EXISTS schema_version (version {integer} PRIMARY KEY) {end}"

# One entry a version, in order; a released entry is never edited. MySQL commits after every CREATE or ALTER, so a crash
# may leave an entry half done: each statement must be harmless when it runs a second time.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE IF NOT EXISTS face_set (
            id {id},
            face_token {token} UNIQUE,
            face_name {name},
            embedding_id {word},
            embedding {embedding},
            crop {word},
            created_at {integer}
        ) {end}""",
        """CREATE TABLE IF NOT EXISTS face_set_version (
            id {integer} PRIMARY KEY,
            version {integer},
            pruned_version {integer}
        ) {end}""",
        """CREATE TABLE IF NOT EXISTS face_set_change (
            version {integer} PRIMARY KEY,
            op {operation},
            face_id {integer}
        ) {end}""",
        """INSERT INTO face_set_version (id, version, pruned_version)
            SELECT 1, 0, 0 FROM (SELECT COUNT(*) AS present FROM face_set_version) AS existing WHERE present = 0""",
    ),
    (
        """CREATE TABLE IF NOT EXISTS face_set_segment (
            number {integer},
            embedding_id {word},
            exponent {integer},
            residual {real},
            ids {packed},
            codes {packed},
            PRIMARY KEY (number, embedding_id, exponent)
        ) {end}""",
        """CREATE TABLE IF NOT EXISTS face_set_compaction (
            id {integer} PRIMARY KEY,
            version {integer},
            run {integer},
            leased_until {integer}
        ) {end}""",
        """INSERT INTO face_set_compaction (id, version, run, leased_until)
            SELECT 1, 0, 0, 0 FROM (SELECT COUNT(*) AS present FROM face_set_compaction) AS existing
            WHERE present = 0""",
    ),
)


def migrate(database: Database) -> int:
    """Bring the database to the newest version of the schema; return the version it then has.

    Any number of processes may do this at once, and again after one was killed while doing it.

    Raises
    ------
    ServiceError
        As `Database.write` does; 503 also when another process is still migrating.
    """
    types = _TYPES[database.dialect]

    def bring_up_to_date(transaction: Transaction) -> int:
        transaction.execute(_LEDGER.format(**types))
        version: int = transaction.query("SELECT COALESCE(MAX(version), 0) FROM schema_version")[0][0]
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                transaction.execute(statement.format(**types))
            version += 1
            transaction.execute("INSERT INTO schema_version (version) VALUES (?)", (version,))
        return version

    return database.alone(bring_up_to_date)
