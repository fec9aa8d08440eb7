"""Answers the operations that moto lacks, or has without the service's limits and pages. moto answers the others."""

from __future__ import annotations

import json
import socket
import threading
from datetime import UTC, datetime
from typing import Any, NamedTuple

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.s3vectors.models import Index
from moto.s3vectors.responses import S3VectorsResponse

from infra.s3_vectors import filters, vector_input
from infra.s3_vectors.emulation import emulation
from infra.s3_vectors.faults import Failure, Fault, Moment
from infra.s3_vectors.query_pages import QueryPages
from infra.s3_vectors.refusals import Conflict, InternalServer, ServiceUnavailable, TooManyRequests, ValidationRefusal
from infra.s3_vectors.service_model import problems
from infra.s3_vectors.stored_vectors import Stored, StoredVectors

MAX_REQUEST_BYTES = 20 * 2**20
MAX_RESULTS = 10_000
# A listing's page ends when it reaches this size.
MAX_PAGE_BYTES = 2**20
VECTORS_PER_PAGE = 500
INDEXES_PER_PAGE = 500

_BATCHES = {"PutVectors": "vectors", "DeleteVectors": "keys"}
_REFUSALS = {
    Failure.THROTTLED: TooManyRequests,
    Failure.INTERNAL: InternalServer,
    Failure.UNAVAILABLE: ServiceUnavailable,
}
_making = threading.Lock()


class _Contents(NamedTuple):
    """Replaces an index's vectors in moto."""

    vectors: StoredVectors
    pages: QueryPages


class Responses(S3VectorsResponse):
    """Answers one request: moto creates a new instance for each."""

    def parse_parameters(self, request: Any) -> None:
        """Parse the body at once, because moto's parser is slow: it visits each number of each vector."""
        super_reads_it = self.uri_match or not request.data or len(request.data) > MAX_REQUEST_BYTES
        if super_reads_it:
            super().parse_parameters(request)
        else:
            self.params = json.loads(request.data)

    def call_action(self) -> Any:
        """Answer the request, or inject the next fault, and record the reply."""
        operation = self._get_action()
        self._refusal: ServiceException | None = None
        fault = emulation.faults.next(operation) if emulation.faults else None
        reply = self._answer(operation, fault)
        status = 0 if fault and fault.failure is Failure.CUT else int(reply[1].get("status", reply[0]))
        violated = self._refusal is not None and self._refusal.code == ValidationRefusal.code
        emulation.note(operation, status, str(self._refusal) if violated else None)
        return reply

    def serialized(self, action_result: ActionResult) -> Any:
        """Return moto's serialized result, and remember errors, which also pass through here."""
        if isinstance(action_result.result, ServiceException):
            self._refusal = action_result.result
        return super().serialized(action_result)

    def create_index(self) -> Any:
        with _making:
            bucket = self.s3vectors_backend.get_vector_bucket(
                self._get_param("vectorBucketName"), self._get_param("vectorBucketArn")
            )
            name = self._get_param("indexName")
            if any(index.index_name == name for index in bucket.indexes.values()):
                raise Conflict("An index with the specified name already exists")
            # Bypasses moto's response to CreateIndex, which refuses the largest dimension.
            self.s3vectors_backend.create_index(
                bucket.vector_bucket_name,
                bucket.vector_bucket_arn,
                name,
                self._get_param("dataType"),
                self._get_param("dimension"),
                self._get_param("distanceMetric"),
                self._get_param("tags"),
            )
            index: Any = next(index for index in bucket.indexes.values() if index.index_name == name)
            index.creation_time = datetime.now(UTC)
            index.metadata_configuration = self._get_param("metadataConfiguration")
        return ActionResult({"indexArn": index.index_arn})

    def list_indexes(self) -> Any:
        bucket = self.s3vectors_backend.get_vector_bucket(
            self._get_param("vectorBucketName"), self._get_param("vectorBucketArn")
        )
        after, prefix = self._get_param("nextToken") or "", self._get_param("prefix") or ""
        most = self._get_param("maxResults") or INDEXES_PER_PAGE
        found = sorted(
            (index for index in list(bucket.indexes.values()) if index.index_name.startswith(prefix)),
            key=lambda index: str(index.index_name),
        )
        page = [index for index in found if index.index_name > after][: most + 1]
        return ActionResult({"indexes": page[:most], "nextToken": page[most - 1].index_name if page[most:] else None})

    def put_vectors(self) -> Any:
        index = self._index()
        given = self._get_param("vectors")
        keys = [vector["key"] for vector in given]
        vectors = vector_input.vectors(
            [(vector["key"], vector["data"]["float32"]) for vector in given], index.dimension, index.distance_metric
        )
        unfiltered = _non_filterable(index)
        metadata = [vector_input.metadata(v["key"], v.get("metadata"), unfiltered) for v in given]
        _contents(index).vectors.put(keys, vectors, metadata)
        return _reply({})

    def delete_vectors(self) -> Any:
        _contents(self._index()).vectors.delete(self._get_param("keys"))
        return _reply({})

    def get_vectors(self) -> Any:
        found = _contents(self._index()).vectors.get(self._get_param("keys"))
        return _reply({"vectors": [self._shown(vector) for vector in found]})

    def list_vectors(self) -> Any:
        index = self._index()
        segment, segments = self._get_param("segmentIndex"), self._get_param("segmentCount")
        if (segment is None) != (segments is None) or (segments is not None and segment >= segments):
            raise ValidationRefusal(
                "segmentIndex and segmentCount must be given together, and segmentIndex must be less than segmentCount"
            )
        token = self._get_param("nextToken") or "-1"
        if not token.removeprefix("-").isdecimal():
            raise ValidationRefusal("Invalid nextToken")
        most = min(self._get_param("maxResults") or VECTORS_PER_PAGE, MAX_PAGE_BYTES // (4 * index.dimension))
        found = _contents(index).vectors.after(int(token), most + 1, segment or 0, segments or 1)
        body: dict[str, Any] = {"vectors": [self._shown(vector) for vector in found[:most]]}
        if found[most:]:
            body["nextToken"] = str(found[most - 1].sequence)
        return _reply(body)

    def query_vectors(self) -> Any:
        index = self._index()
        most = self._get_param("topK")
        if most > MAX_RESULTS:
            raise ValidationRefusal(f"topK must be at most {MAX_RESULTS}")
        if self._get_param("queryMode") == "CLASSIC":
            raise ValidationRefusal("The index is ENHANCED: it cannot be queried as CLASSIC")
        values = self._get_param("queryVector")["float32"]
        [query] = vector_input.vectors([("the query", values)], index.dimension, index.distance_metric)
        condition = self._get_param("filter")
        passes = None if condition is None else filters.parse(condition, _non_filterable(index))
        vectors, pages = _contents(index)
        page = pages.page(self.params, lambda: vectors.nearest(query, most, passes))
        shown = []
        for near in page.results:
            result: dict[str, Any] = {"key": near.key}
            if self._get_param("returnDistance"):
                result["distance"] = near.distance
            if self._get_param("returnMetadata"):
                result["metadata"] = near.metadata
            shown.append(result)
        token = {} if page.next_token is None else {"nextToken": page.next_token}
        return _reply({"vectors": shown, "distanceMetric": index.distance_metric, **token})

    def _answer(self, operation: str, fault: Fault | None) -> Any:
        try:
            self._check(operation)
        except ServiceException as error:
            return self.serialized(ActionResult(error))
        if fault is None:
            return super().call_action()
        if fault.moment is Moment.AFTER or (fault.moment is Moment.HALFWAY and self._halve(operation)):
            super().call_action()
        if fault.failure is not Failure.CUT:
            return self.serialized(ActionResult(_REFUSALS[fault.failure]()))
        self.normalized_request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return 500, {}, ""

    def _halve(self, operation: str) -> bool:
        """Drop the second half of the vectors to write; return False when none remain."""
        written = self.params.get(_BATCHES.get(operation), [])
        del written[len(written) // 2 :]
        return bool(written)

    def _check(self, operation: str) -> None:
        if len(self.normalized_request.data) > MAX_REQUEST_BYTES:
            raise ValidationRefusal(f"The request is larger than {MAX_REQUEST_BYTES} bytes")
        found = problems(operation, {**self.params, **self.uri_match})
        if found:
            raise ValidationRefusal("; ".join(found))
        if operation in _BATCHES and emulation.rates is not None:
            batch = self._get_param(_BATCHES[operation])
            if not emulation.rates.allow(self._index().index_arn, len(batch)):
                raise TooManyRequests

    def _index(self) -> Index:
        bucket, name, arn = (self._get_param(part) for part in ("vectorBucketName", "indexName", "indexArn"))
        self._validate_index_params(arn, name, bucket)
        return self.s3vectors_backend.get_index(bucket, name, arn)

    def _shown(self, vector: Stored) -> dict[str, Any]:
        shown: dict[str, Any] = {"key": vector.key}
        if self._get_param("returnData"):
            shown["data"] = {"float32": vector.vector.tolist()}
        if self._get_param("returnMetadata"):
            shown["metadata"] = vector.metadata
        return shown


def _reply(body: dict[str, Any]) -> Any:
    """Return an answer already serialized, because moto's serializer is slow with many numbers."""
    return 200, {"Content-Type": "application/json"}, json.dumps(body)


def _non_filterable(index: Index) -> frozenset[str]:
    configuration = getattr(index, "metadata_configuration", None) or {}
    return frozenset(configuration.get("nonFilterableMetadataKeys", ()))


def _contents(index: Any) -> _Contents:
    with _making:
        if not isinstance(index.vectors, _Contents):
            index.vectors = _Contents(StoredVectors(index.dimension, index.distance_metric), QueryPages())
    contents: _Contents = index.vectors
    return contents
