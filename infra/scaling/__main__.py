"""`python -m infra.scaling`: prints the tables of docs/scaling.md."""

from __future__ import annotations

from chalicelib.deadline import REQUEST_SECONDS
from infra.deploy import costs
from infra.scaling import arithmetic
from infra.scaling.arithmetic import DEMANDS, INDEX_DEMANDS, Gallery, Request
from infra.scaling.figures import BANDWIDTHS, GUESSED, LIMITS, MEASURED, Figure
from infra.scaling.scenarios import ACCOUNT, LOCK_SECONDS, Additions, Burst, Deployment, Steady, deployments

FACES = (10_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
RATES = (1, 100, 10_000)
TEN_MILLION = 10_000_000
# The faces of a gallery, and the containers that load it at once.
LOADED, LOADING = (1_000_000, TEN_MILLION), (1, 10)
STEADY = [
    Steady(*kind, rate)
    for kind in (
        (Request.DETECT, Gallery.MEMORY, 0),
        (Request.ADD, Gallery.MEMORY, 0),
        (Request.SEARCH, Gallery.MEMORY, TEN_MILLION),
        (Request.SEARCH, Gallery.S3_VECTORS, 1_000_000_000),
    )
    for rate in RATES
]
BURSTS = [
    Burst(gallery, faces, 50, 250)
    for gallery, faces in (
        (Gallery.MEMORY, 10_000),
        (Gallery.MEMORY, 1_000_000),
        (Gallery.MEMORY, TEN_MILLION),
        (Gallery.S3_VECTORS, 1_000_000_000),
    )
]
# A database class with the concurrency of the next larger class.
CROWDED = Deployment(400, 600)
ADDITIONS = [Additions(rate) for rate in (100, 500, 900, 1_000, 1_200)]
TOO_MUCH = "—"


def tables() -> dict[str, str]:
    """Return the tables of docs/scaling.md by title."""
    return {
        "Latency": latency(),
        "Containers": containers(),
        "Loading the gallery": loads(),
        "A burst from nothing": bursts(),
        "Connections": connections(),
        "Additions one by one": additions(),
        "Each part against its limit": parts(),
        "A million requests": millions(),
        "A month": months(),
        "Measured": figures(MEASURED),
        "Guessed": figures(GUESSED),
        "Limits": figures(LIMITS),
    }


def latency() -> str:
    rows = []
    for faces in FACES:
        memory = arithmetic.fits(Gallery.MEMORY, faces)
        warm = arithmetic.seconds(Request.SEARCH, Gallery.MEMORY, faces)
        cold = arithmetic.cold_seconds(Gallery.MEMORY, faces) + warm
        indexed = arithmetic.seconds(Request.SEARCH, Gallery.S3_VECTORS, faces)
        cold_index = (
            GUESSED["a query of S3 Vectors, cold"].value - GUESSED["a query of S3 Vectors, warm"].value
        ) / 1_000
        rows.append(
            [
                f"{faces:,}",
                _ms(arithmetic.seconds(Request.DETECT, Gallery.MEMORY, faces)),
                _ms(arithmetic.seconds(Request.ADD, Gallery.MEMORY, faces)),
                _ms(warm) if memory else TOO_MUCH,
                f"{cold:,.1f}" if memory else f"{TOO_MUCH} ({cold:,.0f})",
                f"{arithmetic.memory_mb(Gallery.MEMORY, faces):,.0f}",
                _ms(arithmetic.seconds(Request.ADD, Gallery.S3_VECTORS, faces)),
                _ms(indexed),
                f"{arithmetic.cold_seconds(Gallery.S3_VECTORS, faces) + indexed + cold_index:,.1f}",
            ]
        )
    header = ["faces", "detect, ms", "add, ms", "search, ms", "first search of a container, s", "memory, MB"]
    return costs.table([*header, "S3 Vectors: add, ms", "S3 Vectors: search, ms", "S3 Vectors: first search, s"], rows)


def loads() -> str:
    rows = []
    for source in (None, *BANDWIDTHS):
        loaded = [arithmetic.load_seconds(faces, source, at_once) for faces in LOADED for at_once in LOADING]
        within = [f"**{seconds:,.1f}**" if seconds > REQUEST_SECONDS else f"{seconds:,.1f}" for seconds in loaded]
        rows.append([source or "S3", f"{BANDWIDTHS[source]:,}" if source else "any", *within])
    columns = [f"{faces:,} faces, {at_once} at once, s" for faces in LOADED for at_once in LOADING]
    return costs.table(["segments in", "MB/s", *columns], rows)


def containers() -> str:
    rows = []
    for load in STEADY:
        offered = arithmetic.containers(load.rate, load.service_seconds())
        blocked = arithmetic.blocked(offered, ACCOUNT)
        report = load.simulated()
        rows.append(
            [
                _name(load.request, load.gallery, load.faces),
                f"{load.rate:,}",
                f"{offered * (1 - blocked):,.1f}",
                f"{report.busy:,.1f}",
                f"{report.peak_busy:,}",
                _share(blocked),
                _share(report.throttled),
                f"{_ms(report.p50)} / {_ms(report.p99)}",
            ]
        )
    header = [
        "request",
        "a second",
        "busy containers, Little's law",
        "busy, simulated",
        "most busy, simulated",
        "throttled, Erlang B",
        "throttled, simulated",
    ]
    return costs.table([*header, "p50 / p99, ms"], rows)


def bursts() -> str:
    rows = []
    for burst in BURSTS:
        report = burst.simulated()
        rows.append(
            [
                _name(Request.SEARCH, burst.gallery, burst.faces),
                f"{burst.containers():,.0f}",
                f"{report.started:,}",
                _share(burst.throttled()),
                _share(report.throttled),
                f"{_ms(report.p50)} / {_ms(report.p99)}",
            ]
        )
    header = [
        "search",
        "containers started, arithmetic",
        "started, simulated",
        "throttled, arithmetic",
        "throttled, simulated",
        "p50 / p99, ms",
    ]
    return costs.table(header, rows)


def connections() -> str:
    rows = []
    for name, deployment in [*deployments().items(), ("too few", CROWDED)]:
        report = deployment.simulated()
        rows.append(
            [
                name,
                f"{deployment.connections:,}",
                f"{deployment.concurrency:,}",
                f"{deployment.concurrency / arithmetic.seconds(Request.DETECT, Gallery.MEMORY, 0):,.0f}",
                f"{arithmetic.connections(deployment.concurrency):,}",
                f"{report.peak_connections:,}",
                _share(report.refused),
                _share(report.throttled),
            ]
        )
    header = [
        "database",
        "connections",
        "API's concurrency",
        "most detections a second",
        "connections needed, arithmetic",
    ]
    return costs.table([*header, "most open, simulated, API only", "refused", "throttled"], rows)


def additions() -> str:
    rows = []
    for load in ADDITIONS:
        report = load.simulated()
        wait = arithmetic.lock_wait(load.rate, LOCK_SECONDS)
        rows.append(
            [
                f"{load.rate:,}",
                f"{load.rate * LOCK_SECONDS:.0%}",
                f"{1_000 * wait:,.2f}" if wait < float("inf") else "grows",
                f"{1_000 * report.waited:,.2f}",
                f"{_ms(report.p50)} / {_ms(report.p99)}",
            ]
        )
    header = [
        "additions a second",
        "counter in use",
        "wait for the counter, M/D/1, ms",
        "wait, simulated, ms",
        "p50 / p99, ms",
    ]
    return costs.table(header, rows)


def parts() -> str:
    rows = []
    for demand in (*DEMANDS, *INDEX_DEMANDS):
        limit = LIMITS[demand.limit]
        reached = (_reached(limit.value, demand.of(request)) for request in Request)
        rows.append([demand.limit, f"{limit.value:,.0f} {limit.unit}", *reached])
    return costs.table(["part", "limit", *(f"{request.value} a second at the limit" for request in Request)], rows)


def millions() -> str:
    rows = []
    for faces in FACES:
        row = [f"{faces:,}"]
        for gallery in Gallery:
            for request in Request:
                cost = sum(arithmetic.million(request, gallery, faces).values())
                row.append(f"{cost:,.2f}" if arithmetic.fits(gallery, faces) else TOO_MUCH)
        rows.append(row)
    header = ["faces", *(f"{gallery.value}: {request.value}" for gallery in Gallery for request in Request)]
    return costs.table(header, rows)


def months() -> str:
    rows = []
    for faces in FACES:
        for gallery in Gallery:
            row = [f"{faces:,}", gallery.value]
            for rate in RATES:
                month = arithmetic.month(gallery, faces, rate)
                row.append(f"{sum(month.values()):,.0f}" if month else TOO_MUCH)
            largest = arithmetic.month(gallery, faces, max(RATES))
            row.append(_largest(largest) if largest else TOO_MUCH)
            rows.append(row)
    header = [
        "faces",
        "gallery",
        *(f"{rate:,} a second" for rate in RATES),
        f"largest parts at {max(RATES):,} a second",
    ]
    return costs.table(header, rows)


def figures(group: dict[str, Figure]) -> str:
    rows = [[name, f"{figure.value:,.12g}", figure.unit, figure.source] for name, figure in group.items()]
    return costs.table(["name", "figure", "unit", "source"], rows)


def _name(request: Request, gallery: Gallery, faces: int) -> str:
    if request is not Request.SEARCH:
        return request.value
    return f"search, {gallery.value}, {faces:,} faces"


def _largest(month: dict[str, float]) -> str:
    first, second, *_ = sorted(month, key=lambda part: -month[part])
    return f"{first} {month[first]:,.0f}, {second} {month[second]:,.0f}"


def _reached(limit: float, demand: float) -> str:
    """Return the rate that reaches a limit, in bold if it is below the page's largest rate."""
    if not demand:
        return ""
    text = f"{limit / demand:,.0f}"
    return f"**{text}**" if limit / demand < max(RATES) else text


def _ms(seconds: float) -> str:
    return f"{1_000 * seconds:,.0f}"


def _share(share: float) -> str:
    return f"{100 * share:.1f} %"


if __name__ == "__main__":
    for title, text in tables().items():
        print(f"{title}\n\n{text}\n")
