"""Invariants that must hold in the stores after any fault."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.maintenance.orphaned_crops import SAFE_AGE_SECONDS, Reconciliation
from chalicelib.stores.aws.crops import CropStore
from chalicelib.stores.database.base import Database
from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set.referenced_crops import ReferencedCrops

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


@dataclass
class Stores:
    """The stores, accessed without faults."""

    url: str
    dynamodb: DynamoDBClient
    s3: S3Client
    name: str
    """The name of the table of tokens and of the bucket of crops."""

    def faces(self) -> set[str]:
        """Return the tokens of all rows."""
        database = connect(self.url)
        try:
            return {row[0] for row in database.read("SELECT face_token FROM face_set")}
        finally:
            database.close()

    def tokens(self) -> set[str]:
        """Return the tokens of all temporary faces."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.name)
        return {item["face_token"]["S"] for page in pages for item in page["Items"]}

    def temporary_crops(self) -> set[str]:
        """Return the names of the crops under the temporary prefix."""
        return self._crops("temporary/")

    def violations(self) -> list[str]:
        """Return the violations in the rows, the log and the crops."""
        database = connect(self.url)
        try:
            return [*_of_rows(database), *_of_the_log(database), *self._of_crops(database)]
        finally:
            database.close()

    def orphans(self) -> set[str]:
        """Return the crops under the permanent prefix that no row names."""
        database = connect(self.url)
        try:
            return self._crops("faces/") - {row[0] for row in database.read("SELECT crop FROM face_set")}
        finally:
            database.close()

    def reconcile(self) -> int:
        """Delete all orphans regardless of their age; return their number."""
        database = connect(self.url)
        try:
            later = time.time() + SAFE_AGE_SECONDS + 2
            report = Reconciliation(
                ReferencedCrops(database), CropStore(self.s3, self.name), however_many=True, clock=lambda: later
            ).run()
        finally:
            database.close()
        return report.deleted

    def _crops(self, prefix: str) -> set[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return {item["Key"].removeprefix(prefix) for page in pages for item in page.get("Contents", [])}

    def _of_crops(self, database: Database) -> list[str]:
        named = {row[0] for row in database.read("SELECT crop FROM face_set")}
        wrong = [f"a row without its crop: {name}" for name in named - self._crops("faces/")]
        kept = self.temporary_crops()
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.name)
        for item in (item for page in pages for item in page["Items"]):
            token = item["face_token"]["S"]
            # A face being removed may have lost its crop already; its row goes next.
            if item["crop"]["S"] not in kept and token not in self.faces():
                wrong.append(f"a token without its crop: {token}")
        return wrong


def _of_rows(database: Database) -> list[str]:
    lonely = database.read(
        "SELECT face.id FROM face_set AS face LEFT JOIN face_set_embedding AS vector ON vector.face_id = face.id "
        "WHERE vector.face_id IS NULL"
    )
    left = database.read(
        "SELECT vector.face_id FROM face_set_embedding AS vector "
        "LEFT JOIN face_set AS face ON face.id = vector.face_id WHERE face.id IS NULL"
    )
    homeless = database.read(
        "SELECT face.id FROM face_set AS face LEFT JOIN face_set_name AS named ON named.id = face.set_id "
        "WHERE named.id IS NULL"
    )
    counted = sorted(database.read("SELECT set_id, faces FROM face_set_count WHERE faces <> 0"))
    rows = sorted(database.read("SELECT set_id, COUNT(*) FROM face_set GROUP BY set_id"))
    people = database.read(
        "SELECT person.id, person.faces, COUNT(theirs.face_id) FROM face_set_person AS person "
        "LEFT JOIN face_set_person_face AS theirs ON theirs.person_id = person.id GROUP BY person.id, person.faces"
    )
    astray = database.read(
        "SELECT theirs.face_id FROM face_set_person_face AS theirs "
        "LEFT JOIN face_set AS face ON face.id = theirs.face_id "
        "LEFT JOIN face_set_person AS person "
        "ON person.id = theirs.person_id AND person.set_id = face.set_id AND person.folded = face.folded "
        "WHERE person.id IS NULL"
    )
    return [
        *(f"a person has {there} faces, not {faces}" for _, faces, there in people if there != faces or not there),
        *(f"a face of another person, or no face: {face_id}" for (face_id,) in astray),
        *([] if counted == rows else [f"the face sets have {rows} faces, but the counters say {counted}"]),
        *(f"a row without a vector: {face_id}" for (face_id,) in lonely),
        *(f"a vector without a row: {face_id}" for (face_id,) in left),
        *(f"a row without a face set: {face_id}" for (face_id,) in homeless),
    ]


def _of_the_log(database: Database) -> list[str]:
    """Check that the log has no gaps and that its last change of each face agrees with the rows."""
    [(version, pruned)] = database.read("SELECT version, pruned_version FROM face_set_version")
    entries = database.read("SELECT version, op, face_id FROM face_set_change ORDER BY version")
    wrong = []
    if [entry[0] for entry in entries] != list(range(pruned + 1, version + 1)):
        wrong.append("the log has gaps")
    said = {face_id: operation for _, operation, face_id in entries}
    there = {row[0] for row in database.read("SELECT id FROM face_set")}
    logged = {face_id for face_id, operation in said.items() if operation == 1}
    if pruned == 0 and logged != there:
        wrong.append(f"the log and the rows differ: {sorted(logged ^ there)}")
    return wrong
