"""Vector buckets in moto's CloudFormation, which has none. Their ARNs identify them, as in AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.core.common_models import CloudFormationModel
from moto.s3vectors.models import s3vectors_backends
from moto.utilities.utils import get_partition

if TYPE_CHECKING:
    from tests.deploy.conftest import Operator

VECTOR_BUCKET = {"Type": "AWS::S3Vectors::VectorBucket", "DeletionPolicy": "Retain"}


def indexed(operator: Operator) -> tuple[Any, str]:
    """Create two indexes in the stack's vector bucket, and return a client of S3 Vectors and the bucket's name."""
    client = operator.client("s3vectors")
    [bucket] = client.list_vector_buckets()["vectorBuckets"]
    for number in range(2):
        client.create_index(
            vectorBucketName=bucket["vectorBucketName"],
            indexName=f"faces-{number}",
            dataType="float32",
            dimension=2,
            distanceMetric="euclidean",
        )
    return client, bucket["vectorBucketName"]


class StackVectorBucket(CloudFormationModel):
    """Stays when its stack is deleted, because moto honours the deletion policy Retain."""

    def __init__(self, arn: str) -> None:
        self.physical_resource_id = arn

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::S3Vectors::VectorBucket"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "VectorBucketArn"

    def get_cfn_attribute(self, _: str) -> str:
        return self.physical_resource_id

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],  # noqa: ARG003  # moto names the arguments
        account_id: str,
        region_name: str,
        **_: Any,
    ) -> StackVectorBucket:
        backend, name = s3vectors_backends[account_id][get_partition(region_name)], resource_name.lower()
        backend.create_vector_bucket(region_name, name, {})
        return cls(backend.get_vector_bucket(vector_bucket_name=name).vector_bucket_arn)

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str
    ) -> None:
        """Keep the bucket, as the policy Retain demands."""

    def is_created(self) -> bool:
        return True
