"""Amazon S3 Vectors in moto's server: what moto leaves out, its limits, and faults on demand.

moto 5.2 keeps the buckets and the indexes. Vectors, queries, pages, limits and rates are here, after the service's
model in botocore and https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-vectors-limitations.html.
"""
