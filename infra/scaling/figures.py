"""The inputs of the arithmetic and the simulation: measurements, guesses and AWS's limits."""

from __future__ import annotations

from typing import NamedTuple

from infra.deploy import costs


class Figure(NamedTuple):
    value: float
    unit: str
    source: str
    """The command that measures the figure, the documentation of a limit, or the word guess."""


BENCH, RATES, START = (
    "make bench",
    "python -m tests.harness.benchmarks.write_rate",
    "python -m tests.harness.benchmarks.cold_start",
)
GUIDE, GUESS = "AWS's user guide, a copy of 2026", "a guess"

# Measured on one core of the machine in docs/benchmarks.md.
MEASURED = {
    "picture to embeddings, 640 x 480": Figure(40.0, "ms", BENCH),
    "picture to embeddings, 1280 x 720": Figure(63.8, "ms", BENCH),
    "picture to embeddings, 4096 x 4096": Figure(504.1, "ms", f"{BENCH}: 486.6 to detect, plus 17.5 as for 640 x 480"),
    "search, 10,000 faces": Figure(1.24, "ms", BENCH),
    "search, 1 million faces": Figure(7.95, "ms", BENCH),
    "search, 10 million faces": Figure(59.79, "ms", BENCH),
    "cold load from segments": Figure(1.18, "s a million faces", BENCH),
    "memory after 200 mixed requests": Figure(311, "MB", START),
    "memory a face, at 10 million": Figure(193, "bytes", BENCH),
    "additions one by one": Figure(1_049, "a second", RATES),
    "additions in bulk": Figure(9_495, "a second", BENCH),
    "polls": Figure(7_490, "a second", f"{RATES}; two cores shared with the clients"),
}

# Guesses, because nothing of this project was timed on AWS.
GUESSED = {
    "a picture's request on Lambda": Figure(1_000 * costs.REQUEST_SECONDS, "ms", f"{GUESS}, as in docs/costs.md"),
    "Lambda's core, times slower": Figure(2.5, "", GUESS),
    "an addition on Lambda": Figure(40, "ms", f"{GUESS}: a read, a copy in S3, a commit"),
    "a container's start": Figure(1_000 * costs.COLD_START_SECONDS, "ms", f"{GUESS}, as in docs/costs.md"),
    "a container's bandwidth": Figure(75, "MB/s", f"{GUESS}; public measurements of Lambda range from 50 to 90"),
    "an idle container is kept": Figure(600, "s", f"{GUESS}; AWS does not document it"),
    "a query of S3 Vectors, warm": Figure(100, "ms", f"{GUIDE}: as low as 100 ms"),
    "a query of S3 Vectors, cold": Figure(1_000, "ms", f"{GUIDE}: below a second"),
    "a put of S3 Vectors": Figure(100, "ms", GUESS),
}

LIMITS = {
    "API Gateway, requests": Figure(10_000, "a second, account and region", "docs.aws.amazon.com, can be raised"),
    "API Gateway, a reply": Figure(29, "s", "docs.aws.amazon.com"),
    "Lambda, containers at work": Figure(1_000, "account and region", "docs.aws.amazon.com, can be raised"),
    "Lambda, containers started at once": Figure(1_000, "function", "docs.aws.amazon.com"),
    "Lambda, containers started after that": Figure(100, "a second and function", "docs.aws.amazon.com: 1,000 in 10 s"),
    "Lambda, memory": Figure(10_240, "MB", "docs.aws.amazon.com"),
    "MySQL, additions": MEASURED["additions one by one"]._replace(source="measured: the log's counter serialises them"),
    "MySQL, polls and short reads": MEASURED["polls"]._replace(source="measured; more with a larger server"),
    "DynamoDB, writes": Figure(1_000, "a second and partition", "docs.aws.amazon.com; a new table begins with four"),
    "DynamoDB, reads": Figure(3_000, "a second and partition", "docs.aws.amazon.com"),
    "S3, PUT and COPY": Figure(3_500, "a second and prefix", "docs.aws.amazon.com; prefixes split with use"),
    "S3, GET": Figure(5_500, "a second and prefix", "docs.aws.amazon.com; prefixes split with use"),
    "S3 Vectors, vectors written": Figure(2_500, "a second and index", GUIDE),
    "S3 Vectors, queries": Figure(200, "a second and index", f"{GUIDE}: hundreds; 200 assumed here"),
    "S3 Vectors, vectors": Figure(2_000_000_000, "an index, 10,000 indexes a bucket", GUIDE),
    "S3 Vectors, results": Figure(10_000, "a query, in pages of 100", f"{GUIDE}; an older one says 100"),
}

# The baseline bandwidth of EC2's instances of each class in MB/s, from memory of its documentation; RDS states none of
# its own. Credits allow more for some minutes.
BANDWIDTHS = {"db.t4g.small": 16, "db.t4g.medium": 32, "db.m7g.large": 117, "db.r7g.large": 117, "db.r7g.2xlarge": 469}

# Connections and dollars an hour by class. Connections come from infra/deploy/template/parameters.yaml if the class is
# there; otherwise they are RDS's default, the memory in bytes / 12,582,880. Prices of t4g are in docs/costs.md; the
# others are from memory.
CLASSES = {
    "db.t4g.small": (150, 0.032),
    "db.t4g.medium": (300, 0.065),
    "db.m7g.large": (600, 0.168),
    "db.r7g.large": (1_000, 0.239),
    "db.r7g.xlarge": (2_730, 0.478),
    "db.r7g.2xlarge": (5_460, 0.956),
    "db.r7g.4xlarge": (10_920, 1.912),
    "db.r7g.8xlarge": (21_840, 3.824),
}
