"""The types of the columns in each dialect, by the names that the migrations use."""

from __future__ import annotations

TYPES = {
    "mysql": {
        "id": "BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY",
        "integer": "BIGINT NOT NULL",
        "added_integer": "BIGINT NOT NULL",
        "optional_integer": "BIGINT NOT NULL DEFAULT 0",
        "token": "CHAR(24) CHARACTER SET ascii COLLATE ascii_bin NOT NULL",
        "name": "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL",
        "word": "VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL",
        "optional_word": "VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT ''",
        # 255 characters fold to at most three times as many, of four bytes each. An index key may have 3,072 bytes.
        "folded": "VARBINARY(3060) NOT NULL",
        "embedding": "VARBINARY(8192) NOT NULL",
        "packed": "MEDIUMBLOB NOT NULL",
        "added_packed": "MEDIUMBLOB NOT NULL",
        "real": "DOUBLE NOT NULL",
        "operation": "TINYINT NOT NULL",
        "end": "ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    },
    "sqlite": {
        # Without AUTOINCREMENT, the id of a removed face could be reused.
        "id": "INTEGER PRIMARY KEY AUTOINCREMENT",
        "integer": "INTEGER NOT NULL",
        "added_integer": "INTEGER NOT NULL DEFAULT 0",
        "optional_integer": "INTEGER NOT NULL DEFAULT 0",
        "token": "TEXT NOT NULL",
        "name": "TEXT NOT NULL",
        "word": "TEXT NOT NULL",
        "optional_word": "TEXT NOT NULL DEFAULT ''",
        # SQLite needs a default to add a column to existing rows; MySQL gives existing rows an empty value.
        "folded": "BLOB NOT NULL DEFAULT x''",
        "embedding": "BLOB NOT NULL",
        "packed": "BLOB NOT NULL",
        "added_packed": "BLOB NOT NULL DEFAULT x''",
        "real": "REAL NOT NULL",
        "operation": "INTEGER NOT NULL",
        "end": "",
    },
}
