"""Prints the tables of docs/costs.md, the monthly cost of a deployed stage: `python -m infra.deploy.costs`.

Prices are list prices of us-east-1, without free tiers and discounts. The constants below are assumptions about the
traffic: AWS has not billed anything yet.
"""

from __future__ import annotations

from dataclasses import dataclass

from infra.deploy.prices import PRICES, usd

HOURS = 730  # a month, as in AWS's own calculator

# The traffic: one /detect for every two POST /search, each with one face. Each request stores one crop and one token.
DETECT_SHARE = 1 / 3
FACES = 10_000  # in the face set
CROP_GB = 20e-6
TOKEN_WRITE_UNITS = 1  # an item below 1 KB: 128 numbers; an embedding of 512 takes 3
REPLY_GB = 1.5e-6
ROWS_GB = 10e-6  # read from the database: the log's tail and the rows of the candidates
LOG_GB = 2e-6  # the access log, the line `answered`, and the metrics
TEMPORARY_DAYS = 2

# The function, not yet timed on Lambda: 30 to 45 ms of computing on a faster core, the stores, and as much again.
MEMORY_GB = 1769 / 1024
REQUEST_SECONDS = 0.15
COLD_START_SECONDS = 2.0
# A starting container reads the packed segments from S3, one object for each 8,192 faces and scale: some two.
SEGMENTS = 2
# Half of the containers run in the other data centre than the database.
OTHER_DATA_CENTRE_SHARE = 1 / 2
COMPACTIONS = HOURS * 12
COMPACTION_GB_SECONDS = 0.3
RECONCILIATION_GB_SECONDS = 30 * 10 * MEMORY_GB

# With the gallery on S3 Vectors: a vector is 128 numbers, its key, and the metadata that filters by face set. GB and TB
# are powers of 1024 for S3 Vectors, as in AWS's worked examples.
VECTOR_BYTES = 128 * 4 + 38
QUERY_TIERS = (
    (100_000, "S3 Vectors, query, vectors up to 100,000"),
    (9_900_000, "S3 Vectors, query, up to 10 million"),
    (None, "S3 Vectors, query, beyond"),
)
SMALLEST_PUT_BYTES = 128 * 1024
VECTOR_JSON_BYTES = 2_000  # sent over the network: 128 numbers as text
PUT_BATCH = 500
DATA_CENTRES = 2
INDEXED_FACES = (10_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000)

# What a stage may add. The times and the image's size are assumptions: 50 ms to copy lines with 256 MB, 100 ms to check
# a token with 512 MB.
FIREWALL_RULES = 3
# Compressed: AWS's base image, the layers and a model pack of 4 MB.
IMAGE_GB = 0.3
# With Incoming, 2 MB a picture for 7 days, and 150 ms in 2 GB. Five readers of the queue wait 20 s each.
PICTURE_GB, PICTURE_DAYS, INTAKE_GB_SECONDS = 2e-3, 7, 0.15 * 2
QUEUE_READS = HOURS * 3600 / 20 * 5
# A message is sent, read and deleted. The picture is read, and its result looked for. The picture, the crop, its copy,
# and the result are written.
QUEUE_REQUESTS, INTAKE_READS, INTAKE_WRITES = 3, 2, 4
# With SnapStart, the live version and the one before have a snapshot each.
SNAPSHOTS = 2
AUDIT_GB, AUDIT_GB_SECONDS, CHECK_GB_SECONDS = 0.4e-6, 0.05 / 4, 0.1 / 2

STORAGE_GB = 20
METRICS = 5
ALARMS, AURORA_ALARMS = 10, 7

# Aurora Serverless: the hours of a month that it is awake with each number of requests, with the smallest capacity, and
# its storage. Each time it stays awake for at least six minutes after the last request.
AURORA_HOURS = {0: 0, 10_000: 120, 1_000_000: HOURS}
AURORA_ACU = 0.5
AURORA_GB = 1
AURORA_IO = 10  # reads and writes of storage for each request


@dataclass(frozen=True, slots=True)
class Load:
    """A month's requests, and the share of them that start a container."""

    name: str
    requests: int
    cold_share: float


@dataclass(frozen=True, slots=True)
class Database:
    """A server on RDS; Aurora Serverless if `instance` is empty."""

    name: str
    instance: str
    servers: int = 1
    proxy: bool = False


LOADS = (Load("idle", 0, 0), Load("10,000 requests", 10_000, 0.25), Load("1 million requests", 1_000_000, 0.01))
SMALLEST = Database("`dev`: db.t4g.small", "db.t4g.small")
DATABASES = (
    SMALLEST,
    Database("the defaults: db.t4g.small, Multi-AZ", "db.t4g.small", 2),
    Database("`prod`: db.t4g.medium, Multi-AZ", "db.t4g.medium", 2),
    Database("the same with RDS Proxy", "db.t4g.medium", 2, proxy=True),
    Database('`DatabaseKind = "aurora-serverless"`', ""),
)


def parts(load: Load, database: Database = SMALLEST) -> dict[str, float]:
    """Return each service's monthly cost in US dollars."""
    millions = load.requests / 1e6
    gb_seconds = load.requests * (REQUEST_SECONDS + load.cold_share * COLD_START_SECONDS) * MEMORY_GB
    scheduled = COMPACTIONS * COMPACTION_GB_SECONDS + RECONCILIATION_GB_SECONDS
    between_gb = load.requests * ROWS_GB * OTHER_DATA_CENTRE_SHARE
    kept_gb = CROP_GB * (FACES + load.requests * TEMPORARY_DAYS / 30)
    return {
        "Database: server, storage, secret": database_costs(database, load.requests),
        "CloudWatch: dashboard, alarms": usd("CloudWatch, dashboard")
        + usd("CloudWatch, alarm", ALARMS if database.instance else AURORA_ALARMS),
        "CloudWatch: metrics, logs": usd("CloudWatch, metric", METRICS if load.requests else 0)
        + usd("CloudWatch, logs", load.requests * LOG_GB),
        "Lambda: scheduled": usd("Lambda, arm64", scheduled) + usd("Lambda, request", COMPACTIONS / 1e6),
        "Lambda: requests": usd("Lambda, arm64", gb_seconds) + usd("Lambda, request", millions),
        "API Gateway": usd("API Gateway, REST", millions) + usd("Traffic to the internet", load.requests * REPLY_GB),
        "Traffic between data centres": usd("Traffic between data centres", between_gb),
        "S3: crops": usd("S3, PUT", millions) + usd("S3, storage", kept_gb),
        # Each compaction lists the objects, which costs as much as a PUT.
        "S3: segments": usd("S3, PUT", COMPACTIONS / 1e6) + usd("S3, GET", millions * load.cold_share * SEGMENTS),
        "DynamoDB: tokens": usd("DynamoDB, write", millions * TOKEN_WRITE_UNITS),
    }


def database_costs(database: Database, requests: int = 0) -> float:
    """Return the database's monthly cost in US dollars. Backups up to the size of its storage are free."""
    secret = usd("Secrets Manager")
    if not database.instance:
        awake = usd("Aurora Serverless", AURORA_ACU * AURORA_HOURS[requests])
        return awake + usd("Aurora, storage", AURORA_GB) + usd("Aurora, I/O", AURORA_IO * requests / 1e6) + secret
    proxy = usd("RDS Proxy", 2 * HOURS) if database.proxy else 0
    server = usd(database.instance, HOURS) + usd("RDS, gp3", STORAGE_GB)
    return database.servers * server + secret + proxy


def additions(requests: int) -> dict[str, float]:
    """Return the monthly cost of what a stage may add, with this many requests, in US dollars.

    X-Ray traces at most every request. Each request writes one crop and an audit line of 0.4 KB to two logs.
    """
    millions, kept_gb_seconds = requests / 1e6, HOURS * 3600 * MEMORY_GB
    return {
        "`RequestsPerAddress`: WAF with three rules": usd("WAF, web ACL")
        + usd("WAF, rule", FIREWALL_RULES)
        + usd("WAF, request", millions),
        "`KmsKeyArn`: a key": usd("KMS, key"),
        "`Tracing`: X-Ray": usd("X-Ray, trace", millions),
        "`CropEventsDays`: CloudTrail": usd("CloudTrail, data event", millions),
        "`AuditLogDays`: lines, copied": usd("CloudWatch, logs", 2 * requests * AUDIT_GB)
        + usd("Lambda, request", millions)
        + usd("Lambda, arm64", requests * AUDIT_GB_SECONDS),
        '`Identity = "jwt"`: a token checked for every ten requests': usd("Lambda, request", millions / 10)
        + usd("Lambda, arm64", requests / 10 * CHECK_GB_SECONDS),
        "`ImageUri`: an image of 0.3 GB": usd("ECR, storage", IMAGE_GB),
        "`SnapStart`: two snapshots, one container started for every hundred requests": usd(
            "Lambda, snapshot", SNAPSHOTS * kept_gb_seconds
        )
        + usd("Lambda, restored snapshot", requests * LOADS[-1].cold_share * MEMORY_GB),
        "`ProvisionedContainers`: each": usd("Lambda, provisioned, arm64", kept_gb_seconds),
        '`Shift = "canary"`: CodeDeploy for Lambda': 0,
        "`DomainName`: domain, certificate": 0,
        "`Events`: an event for each request, and the endpoint": usd("EventBridge, event", millions) + idle_endpoint(),
        "`Incoming`: a picture by S3 for each request": usd(
            "SQS, request", (QUEUE_READS + requests * QUEUE_REQUESTS) / 1e6
        )
        + usd("CloudWatch, alarm")
        + usd("S3, PUT", millions * INTAKE_WRITES)
        + usd("S3, GET", millions * INTAKE_READS)
        + usd("S3, storage", requests * PICTURE_GB * PICTURE_DAYS / 30)
        + usd("Lambda, request", millions)
        + usd("Lambda, arm64", requests * INTAKE_GB_SECONDS)
        + usd("DynamoDB, write", 2 * millions),
    }


def rekognition(load: Load) -> float:
    """Return Rekognition's monthly cost in US dollars for the same load and the same number of faces.

    Counts DetectFaces, SearchFacesByImage and a collection, at the price of the first million images in a month.
    """
    return usd("Rekognition, image", load.requests) + usd("Rekognition, face", FACES)


def total(load: Load, database: Database = SMALLEST) -> float:
    return sum(parts(load, database).values())


def break_even(database: Database) -> float:
    """Return the number of requests a month above which Rekognition costs more."""
    idle, many = LOADS[0], LOADS[-1]
    each = (total(many, database) - total(idle, database)) / many.requests
    return (total(idle, database) - rekognition(idle)) / (usd("Rekognition, image") - each)


def vector_storage(faces: int, vector_bytes: float = VECTOR_BYTES) -> float:
    """Return the monthly cost of storing the vectors of this many faces, in US dollars."""
    return usd("S3 Vectors, storage", faces * vector_bytes / 1024**3)


def vector_query(faces: int, vector_bytes: float = VECTOR_BYTES) -> float:
    """Return the cost in US dollars of one query in an index of this many faces.

    The first page of results, up to 512 KB, is included.
    """
    cost, left = usd("S3 Vectors, query", 1e-6), faces
    for tier, price in QUERY_TIERS:
        among = left if tier is None else min(left, tier)
        cost += usd(price, among * vector_bytes / 1024**4)
        left -= among
    return cost


def vector_put(vectors: int, vector_bytes: float = VECTOR_BYTES) -> float:
    """Return the cost in US dollars of one request that puts this many vectors."""
    return usd("S3 Vectors, PUT", max(vectors * vector_bytes, SMALLEST_PUT_BYTES) / 1024**3)


def vector_comparison(faces: int) -> float:
    """Return the monthly cost in US dollars of `reconcile`, which reads the whole index through the endpoint daily."""
    return usd("Interface endpoint, traffic", 30 * faces * VECTOR_JSON_BYTES / 1e9)


def idle_endpoint() -> float:
    """Return the monthly cost in US dollars of an interface endpoint, to S3 Vectors or EventBridge, without traffic."""
    return usd("Interface endpoint", HOURS * DATA_CENTRES)


def tables() -> dict[str, str]:
    """Return the tables of docs/costs.md."""
    months = [parts(load) for load in LOADS]
    by_service = [[name, *(f"{month[name]:,.2f}" for month in months)] for name in months[0]]
    by_service.append(["**Together**", *(f"**{total(load):,.2f}**" for load in LOADS)])
    by_service.append(["Rekognition", *(f"{rekognition(load):,.2f}" for load in LOADS)])
    by_database = [
        [
            database.name,
            f"{total(LOADS[0], database):,.2f}",
            f"{total(LOADS[-1], database):,.2f}",
            # Aurora's hours do not grow evenly with the requests.
            f"{round(break_even(database), -3):,.0f}" if database.instance else "-",
        ]
        for database in DATABASES
    ]
    by_faces = [
        [
            f"{faces:,}",
            f"{vector_storage(faces):,.2f}",
            f"{vector_comparison(faces):,.2f}",
            f"{1e6 * vector_query(faces):,.2f}",
            f"{1e6 * vector_put(1):,.2f}",
            f"{1e6 / PUT_BATCH * vector_put(PUT_BATCH):,.2f}",
        ]
        for faces in INDEXED_FACES
    ]
    idle, many = additions(0), additions(LOADS[-1].requests)
    by_addition = [[name, f"{idle[name]:,.2f}", f"{many[name]:,.2f}"] for name in idle]
    by_price = [
        [name, f"{price.usd:.10f}".rstrip("0").rstrip("."), price.unit, price.source] for name, price in PRICES.items()
    ]
    return {
        "A month in US dollars": table(["", *(load.name for load in LOADS)], by_service),
        "By database": table(["database", "idle", LOADS[-1].name, "Rekognition costs more from"], by_database),
        "With the gallery on S3 Vectors": table(
            [
                "faces",
                "stored for a month",
                "compared every day",
                "a million searches",
                "a million additions",
                f"the same, {PUT_BATCH} a request",
            ],
            by_faces,
        ),
        "What a stage may add": table(["parameter", "idle", LOADS[-1].name], by_addition),
        "Prices": table(["what", "US dollars", "for a", "read in"], by_price),
    }


def table(header: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows))


def main() -> None:
    for title, text in tables().items():
        print(f"{title}\n\n{text}\n")


if __name__ == "__main__":
    main()
