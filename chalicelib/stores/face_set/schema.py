"""Creates the tables of the face set, and migrates them from any earlier version to the newest."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain

from chalicelib.names import kept
from chalicelib.stores.database.base import Database, DatabaseFault, Fault, Transaction
from chalicelib.stores.face_set.change_log import lock_log
from chalicelib.stores.face_set.folded_name import fold, is_person
from chalicelib.stores.face_set.person_rows import insert_people
from chalicelib.stores.face_set.schema_types import TYPES
from chalicelib.stores.face_set.schema_version import version_of

# Rows copied per statement: more would exceed the connection's read timeout.
ROWS_PER_COPY = 20_000
NAMES_PER_STATEMENT = 500
PEOPLE_PER_COPY = 5_000

_SET = "UPDATE face_set SET {column} = CASE id {cases} END WHERE id IN ({marks})"

_log = logging.getLogger(__name__)

Step = str | Callable[[Transaction], None]
"""A statement with its types in braces, or a function where one statement is not enough."""


def _unless_done(statement: str) -> Step:
    """Run a statement; ignore a schema fault, as the column or index was already changed by an earlier run."""

    def step(transaction: Transaction) -> None:
        try:
            transaction.execute(statement.format(**TYPES[transaction.dialect]))
        except DatabaseFault as error:
            if error.fault is not Fault.SCHEMA:
                raise

    return step


def _copy_vectors(transaction: Transaction) -> None:
    """Copy every face's vector into the table of vectors. If the old column is gone, all vectors are already copied."""
    copy = """INSERT INTO face_set_embedding (face_id, embedding_id, embedding)
        SELECT face.id, face.embedding_id, face.old_embedding FROM face_set AS face
        LEFT JOIN face_set_embedding AS vector ON vector.face_id = face.id
        WHERE face.id >= ? AND face.id < ? AND vector.face_id IS NULL"""
    try:
        for ids in _ranges(transaction):
            transaction.execute(copy, ids)
    except DatabaseFault as error:
        if error.fault is not Fault.SCHEMA:
            raise


def _log_faces_of_other_models(transaction: Transaction) -> None:
    """Log how many faces searches no longer find, as their vectors are under another model than the face set."""
    count = """SELECT COUNT(*) FROM face_set_embedding AS vector JOIN face_set_model AS model ON model.id = 1
        WHERE vector.face_id >= ? AND vector.face_id < ? AND vector.embedding_id <> model.embedding_id"""
    others = sum(transaction.query(count, ids)[0][0] for ids in _ranges(transaction))
    if others:
        _log.warning("searches miss faces of another model than the face set until `make re-embed`: %d faces", others)


def _fold_names(transaction: Transaction) -> None:
    """Store the folded form of every name, by which faces are looked up."""
    for ids in _ranges(transaction):
        rows = transaction.query("SELECT id, face_name FROM face_set WHERE id >= ? AND id < ? FOR UPDATE", ids)
        for start in range(0, len(rows), NAMES_PER_STATEMENT):
            folded = [(face_id, fold(name)) for face_id, name in rows[start : start + NAMES_PER_STATEMENT]]
            _set_column(transaction, "folded_name", folded)


def _normalize_names(transaction: Transaction) -> None:
    """Normalize every stored name as `names.kept` does, and update its folded form."""
    select = "SELECT id, face_name, folded_name FROM face_set WHERE id >= ? AND id < ? FOR UPDATE"
    for ids in _ranges(transaction):
        rows = [(row, kept(row[1])) for row in transaction.query(select, ids) if not _is_plain(row[1])]
        names = [(face_id, name) for (face_id, before, _), name in rows if name != before]
        folded = [(face_id, fold(name)) for (face_id, _, before), name in rows if fold(name) != bytes(before)]
        for column, values in (("face_name", names), ("folded_name", folded)):
            for start in range(0, len(values), NAMES_PER_STATEMENT):
                _set_column(transaction, column, values[start : start + NAMES_PER_STATEMENT])


def _trim_folded_names(transaction: Transaction) -> None:
    """Remove outer white space from the folded form of every name."""
    select = "SELECT id, face_name, folded FROM face_set WHERE id >= ? AND id < ? FOR UPDATE"
    for ids in _ranges(transaction):
        rows = [row for row in transaction.query(select, ids) if row[1] != row[1].strip()]
        folded = [(face_id, fold(name)) for face_id, name, before in rows if fold(name) != bytes(before)]
        for start in range(0, len(folded), NAMES_PER_STATEMENT):
            _set_column(transaction, "folded", folded[start : start + NAMES_PER_STATEMENT])


def _fill_people(transaction: Transaction) -> None:
    """Store a row for every person of every face set, with the spelling of their newest face.

    Reads the index of names, in its order. The counter's lock blocks additions, removals and renames meanwhile.
    """
    select = """SELECT person.folded, person.faces, newest.face_name
        FROM (SELECT folded, COUNT(*) AS faces, MAX(id) AS newest_id FROM face_set FORCE INDEX (face_set_by_name)
            WHERE set_id = ? AND folded > ? GROUP BY folded ORDER BY folded LIMIT ?) AS person
        JOIN face_set AS newest ON newest.id = person.newest_id ORDER BY person.folded"""
    _begin(transaction)
    lock_log(transaction)
    transaction.execute("DELETE FROM face_set_person_face")
    transaction.execute("DELETE FROM face_set_person")
    for (set_id,) in transaction.query("SELECT id FROM face_set_name ORDER BY id"):
        after = b""
        while rows := transaction.query(select, (set_id, after, PEOPLE_PER_COPY)):
            people = [(bytes(folded), name, faces) for folded, faces, name in rows]
            insert_people(transaction, set_id, [person for person in people if is_person(person[0])])
            after = people[-1][0]
    link = """INSERT INTO face_set_person_face (face_id, person_id)
        SELECT face.id, person.id FROM face_set AS face
        JOIN face_set_person AS person ON person.set_id = face.set_id AND person.folded = face.folded
        WHERE face.id >= ? AND face.id < ?"""
    for ids in _ranges(transaction):
        transaction.execute(link, ids)


def _begin(transaction: Transaction) -> None:
    if transaction.dialect == "mysql":
        transaction.execute("BEGIN")  # the earlier statements have ended the transaction


def _is_plain(name: str) -> bool:
    return name.isascii() and not name.isspace()


def _set_column(transaction: Transaction, column: str, values: Sequence[tuple[int, str | bytes]]) -> None:
    """Set one column of some faces; `values` holds pairs of an id and a value."""
    cases, marks = " ".join(["WHEN ? THEN ?"] * len(values)), ", ".join("?" * len(values))
    parameters = [*chain.from_iterable(values), *(face_id for face_id, _ in values)]
    transaction.execute(_SET.format(column=column, cases=cases, marks=marks), parameters)


def _count_faces(transaction: Transaction) -> None:
    """Store the number of faces of every face set. The counter's lock blocks additions and removals meanwhile."""
    _begin(transaction)
    lock_log(transaction)
    counts: Counter[int] = Counter()
    for ids in _ranges(transaction):
        count = "SELECT set_id, COUNT(*) FROM face_set WHERE id >= ? AND id < ? GROUP BY set_id"
        counts.update(dict(transaction.query(count, ids)))
    transaction.execute("DELETE FROM face_set_count")
    if counts:
        transaction.execute_many("INSERT INTO face_set_count (set_id, faces) VALUES (?, ?)", list(counts.items()))


def _ranges(transaction: Transaction) -> list[tuple[int, int]]:
    highest = transaction.query("SELECT COALESCE(MAX(id), 0) FROM face_set")[0][0]
    return [(first, first + ROWS_PER_COPY) for first in range(0, highest + 1, ROWS_PER_COPY)]


_LEDGER = "CREATE TABLE IF NOT EXISTS schema_version (version {integer} PRIMARY KEY) {end}"

# One entry per version, in order. A released entry is never edited. MySQL commits after every CREATE or ALTER, so a
# crash may leave an entry half done: each step must be safe to run a second time.
MIGRATIONS: tuple[tuple[Step, ...], ...] = (
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
    (
        """CREATE TABLE IF NOT EXISTS face_set_embedding (
            face_id {integer},
            embedding_id {word},
            embedding {embedding},
            PRIMARY KEY (face_id, embedding_id)
        ) {end}""",
        """CREATE TABLE IF NOT EXISTS face_set_model (
            id {integer} PRIMARY KEY,
            embedding_id {word},
            switches {integer},
            discards {integer}
        ) {end}""",
        # Renamed before it is copied: processes still running the previous code fail from here on, and so add no rows
        # that the copy would miss.
        _unless_done("ALTER TABLE face_set RENAME COLUMN embedding TO old_embedding"),
        _copy_vectors,
        # The model of the newest face; none when there are no faces.
        """INSERT INTO face_set_model (id, embedding_id, switches, discards)
            SELECT 1, COALESCE((
                SELECT embedding_id FROM face_set_embedding ORDER BY face_id DESC LIMIT 1
            ), ''), 0, 0
            FROM (SELECT COUNT(*) AS present FROM face_set_model) AS existing WHERE present = 0""",
        _log_faces_of_other_models,
        _unless_done("ALTER TABLE face_set DROP COLUMN old_embedding"),
        _unless_done("ALTER TABLE face_set DROP COLUMN embedding_id"),
    ),
    (
        """CREATE TABLE IF NOT EXISTS face_set_name (
            id {id},
            name {word} UNIQUE
        ) {end}""",
        """INSERT INTO face_set_name (id, name)
            SELECT 1, 'default' FROM (SELECT COUNT(*) AS present FROM face_set_name) AS existing WHERE present = 0""",
        # From here on MySQL refuses rows and segments from the previous code, as they lack sets and folded names.
        _unless_done("ALTER TABLE face_set ADD COLUMN folded_name {folded}"),
        _unless_done("ALTER TABLE face_set ADD COLUMN set_id {integer} DEFAULT 1"),
        _fold_names,
        _unless_done("CREATE INDEX face_set_by_set ON face_set (set_id, id)"),
        _unless_done("CREATE INDEX face_set_by_name ON face_set (set_id, folded_name)"),
        # Empty when all faces are in the default set.
        _unless_done("ALTER TABLE face_set_segment ADD COLUMN sets {added_packed}"),
    ),
    (
        """CREATE TABLE IF NOT EXISTS face_set_index (
            name {word} PRIMARY KEY,
            embedding_id {word},
            dimension {integer},
            state {word},
            version {integer},
            next_id {integer},
            run {integer},
            leased_until {integer},
            recall {real},
            probes {integer},
            measured_at {integer}
        ) {end}""",
    ),
    (_normalize_names,),
    (
        """CREATE TABLE IF NOT EXISTS face_set_count (
            set_id {integer} PRIMARY KEY,
            faces {integer}
        ) {end}""",
        # From here on MySQL refuses additions and removals by the previous code, which would not count them.
        _unless_done("ALTER TABLE face_set_change ADD COLUMN counted {added_integer}"),
        _count_faces,
    ),
    (
        """CREATE TABLE IF NOT EXISTS face_set_person (
            id {id},
            set_id {integer},
            folded {folded},
            plain {folded},
            name {name},
            faces {integer},
            cover {integer},
            becomes {folded}
        ) {end}""",
        """CREATE TABLE IF NOT EXISTS face_set_person_face (
            face_id {integer} PRIMARY KEY,
            person_id {integer}
        ) {end}""",
        _unless_done("CREATE INDEX face_set_person_faces ON face_set_person_face (person_id, face_id)"),
        _unless_done("CREATE UNIQUE INDEX face_set_person_by_name ON face_set_person (set_id, folded)"),
        _unless_done("CREATE INDEX face_set_person_by_set ON face_set_person (set_id, id)"),
        # From here on, additions, removals and renames by the previous code fail, as they would not count people.
        _unless_done("ALTER TABLE face_set RENAME COLUMN folded_name TO folded"),
        _unless_done("ALTER TABLE face_set_change RENAME COLUMN counted TO counts_people"),
        _trim_folded_names,
        _fill_people,
    ),
    (
        # Defaults in both dialects: the previous code may still write segments, and it fails to read one in an object.
        _unless_done("ALTER TABLE face_set_segment ADD COLUMN object {optional_word}"),
        _unless_done("ALTER TABLE face_set_segment ADD COLUMN sha256 {optional_word}"),
        _unless_done("ALTER TABLE face_set_segment ADD COLUMN size {optional_integer}"),
        # 0 when there is certainly no object.
        _unless_done("ALTER TABLE face_set_compaction ADD COLUMN has_objects {optional_integer}"),
    ),
)


def migrate(database: Database, upto: int = len(MIGRATIONS)) -> int:
    """Migrate the database to a version of the schema, by default the newest; return its version.

    Any number of processes may migrate at once, and again after one was killed during a migration.

    Raises
    ------
    ServiceError
        As `Database.write` does; 503 also when another process is still migrating.
    """
    types = TYPES[database.dialect]

    def bring_up_to_date(transaction: Transaction) -> int:
        transaction.execute(_LEDGER.format(**types))
        version = version_of(transaction)
        for steps in MIGRATIONS[version:upto]:
            for step in steps:
                if isinstance(step, str):
                    transaction.execute(step.format(**types))
                else:
                    step(transaction)
            version += 1
            transaction.execute("INSERT INTO schema_version (version) VALUES (?)", (version,))
        return version

    return database.alone(bring_up_to_date)
