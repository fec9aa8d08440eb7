"""Emulates Amazon S3 Vectors in moto's server, with the operations and limits that moto lacks, and faults on demand.

moto 5.2 stores the buckets and the indexes. This package adds vectors, queries, pages, limits and rates, according to
the service's model in botocore and https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-vectors-limitations.html.
"""
