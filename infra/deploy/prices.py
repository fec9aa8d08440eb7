"""List prices of AWS in us-east-1, without free tiers and discounts, with their sources."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Price:
    usd: float
    unit: str
    source: str
    """Where the price was read, with the date given there."""


S3_VECTORS = (
    "aws.amazon.com/s3/pricing as kept in github.com/forattini-dev/s3db.js, 2025; several public cost notes of 2026"
)
PRICES = {
    "Lambda, arm64": Price(0.0000133334, "GB-second", "cloudchipr.com/blog/aws-lambda-pricing, 2024"),
    "Lambda, provisioned, arm64": Price(0.0000033334, "GB-second", "from memory"),
    "Lambda, snapshot": Price(
        0.0000015046, "GB-second", "dev.to, The Hidden Cost of AWS Lambda SnapStart for Python, April 2026"
    ),
    "Lambda, restored snapshot": Price(
        0.0001397998, "GB", "dev.to, The Hidden Cost of AWS Lambda SnapStart for Python, April 2026"
    ),
    "Lambda, request": Price(0.20, "million", "cloudchipr.com/blog/aws-lambda-pricing, 2024"),
    "API Gateway, REST": Price(3.50, "million", "awsforengineers.com/blog/aws-api-gateway-pricing-explained, May 2025"),
    "db.t4g.small": Price(0.032, "hour", "infratally.com/articles/aws-rds-pricing-explained-2026.html, 2026"),
    "db.t4g.medium": Price(0.065, "hour", "infratally.com/articles/aws-rds-pricing-explained-2026.html, 2026"),
    "RDS, gp3": Price(0.115, "GB-month", "usage.ai/blogs/aws/reserved-instances/rds/pricing-calculator, June 2026"),
    "Aurora Serverless": Price(0.12, "capacity unit and hour", "c3x.dev/blog/aws-aurora-serverless-v2-cost, undated"),
    "Aurora, storage": Price(0.10, "GB-month", "awsnegotiations.com/blog/aurora-serverless-v2-pricing.html, May 2026"),
    "Aurora, I/O": Price(0.20, "million", "from memory"),
    "RDS Proxy": Price(0.015, "vCPU-hour", "several public cost notes, one of July 2026"),
    "Secrets Manager": Price(0.40, "secret and month", "hivebook.wiki, AWS Secrets Manager, undated"),
    "DynamoDB, write": Price(0.625, "million", "airbyte.com/data-engineering-resources/dynamodb-pricing, July 2025"),
    "DynamoDB, read": Price(0.125, "million", "from memory"),
    "S3, PUT": Price(5.00, "million", "c3x.dev/blog/s3-request-fees-explained, undated"),
    "S3, GET": Price(0.40, "million", "from memory"),
    "S3, storage": Price(0.023, "GB-month", "deepeshsoni.com/archives/256, undated"),
    "S3 Vectors, storage": Price(0.06, "GB-month", S3_VECTORS),
    "S3 Vectors, PUT": Price(0.20, "GB, 128 KB a request at least", S3_VECTORS),
    "S3 Vectors, query": Price(2.50, "million", S3_VECTORS),
    "S3 Vectors, query, vectors up to 100,000": Price(0.004, "TB", S3_VECTORS),
    "S3 Vectors, query, up to 10 million": Price(0.002, "TB", S3_VECTORS),
    "S3 Vectors, query, beyond": Price(
        0.0004,
        "TB",
        "several public cost notes; dev.classmethod.jp/en/articles/20260616-s3-vectors-query-charges, June 2026",
    ),
    "Interface endpoint": Price(
        0.01, "hour and data centre", "from memory: aws.amazon.com/privatelink/pricing has no table"
    ),
    "Interface endpoint, traffic": Price(0.01, "GB", "a copy of aws.amazon.com/privatelink/pricing, undated"),
    "CloudWatch, logs": Price(0.50, "GB", "factualminds.com, Amazon CloudWatch Pricing, June 2026"),
    "CloudWatch, metric": Price(0.30, "month", "signoz.io/guides/cloudwatch-pricing, February 2026"),
    "CloudWatch, alarm": Price(0.10, "month", "from memory: aws.amazon.com/cloudwatch/pricing was readable in part"),
    "CloudWatch, dashboard": Price(3.00, "month", "factualminds.com, Amazon CloudWatch Pricing, June 2026"),
    "Traffic to the internet": Price(
        0.09, "GB", "awsforengineers.com/blog/aws-api-gateway-pricing-explained, May 2025"
    ),
    "Traffic between data centres": Price(
        0.02,
        "GB, 0.01 for each end",
        "lastweekinaws.com/blog/aws-cross-az-data-transfer-costs-more-than-aws-says, undated",
    ),
    "ECR, storage": Price(0.10, "GB-month", "cloudburn.io/blog/amazon-ecr-pricing, March 2026"),
    "SQS, request": Price(
        0.40, "million", "factualminds.com/blog/amazon-sqs-pricing-64kb-rule-fifo-vs-standard, June 2026"
    ),
    "EventBridge, event": Price(1.00, "million", "wring.co/blog/aws-eventbridge-pricing-guide, undated"),
    "WAF, web ACL": Price(5.00, "month", "c3x.dev/blog/aws-waf-cost-explained, undated"),
    "WAF, rule": Price(1.00, "month", "c3x.dev/blog/aws-waf-cost-explained, undated"),
    "WAF, request": Price(0.60, "million", "c3x.dev/blog/aws-waf-cost-explained, undated"),
    "KMS, key": Price(1.00, "month", "from memory"),
    "X-Ray, trace": Price(5.00, "million", "from memory"),
    "CloudTrail, data event": Price(1.00, "million", "from memory"),
    "Rekognition, image": Price(
        0.001, "image", "aws.amazon.com/rekognition/pricing, October 2026, its worked examples"
    ),
    "Rekognition, face": Price(0.00001, "face and month", "several public cost notes, one of December 2025"),
}


def usd(price: str, amount: float = 1) -> float:
    return PRICES[price].usd * amount
