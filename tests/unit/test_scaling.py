"""The scaling page shows the command's figures, and arithmetic, simulation and limits agree with it."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from chalicelib.deadline import REQUEST_SECONDS
from chalicelib.gallery.vector_gallery import MAX_TAIL
from chalicelib.stores.aws.sdk import ATTEMPT_SECONDS
from chalicelib.stores.aws.vector_store import MAX_VECTORS_PER_SECOND
from chalicelib.stores.face_set.segments import SEGMENT_IDS
from infra.deploy import costs
from infra.deploy.packaged_stage import ROOT
from infra.scaling import __main__ as command
from infra.scaling import arithmetic
from infra.scaling.arithmetic import Gallery, Request
from infra.scaling.figures import BANDWIDTHS, CLASSES, GUESSED, LIMITS, MEASURED
from infra.scaling.scenarios import ACCOUNT, LOCK_SECONDS, Additions, Burst, Steady, deployments
from infra.scaling.simulation import LINGERING_SECONDS, Fleet, Report, arrivals, simulate


def test_the_page_contains_the_commands_tables() -> None:
    page = (ROOT / "docs" / "scaling.md").read_text("utf-8")
    for title, table in command.tables().items():
        assert f"## {title}\n" in page
        assert table in page


def test_the_page_says_at_which_load_each_part_fails() -> None:
    """Figures in the page's sentences that no table contains."""
    page = " ".join((ROOT / "docs" / "scaling.md").read_text("utf-8").split())
    query = 1e6 * costs.vector_query(1_000_000_000)
    rest = sum(arithmetic.million(Request.SEARCH, Gallery.S3_VECTORS, 1_000_000_000).values()) - query
    assert f"a search's query costs {query / rest:.0f} times what the rest" in page
    fits = [faces for faces in range(1_000_000, 100_000_000, 1_000_000) if arithmetic.fits(Gallery.MEMORY, faces)]
    assert max(fits) == 11_000_000
    assert "some 11 million faces | first searches" in page
    loading = GUESSED["a container's bandwidth"].value / arithmetic.PACKED_BYTES  # millions of faces a second
    assert 7 < loading * (REQUEST_SECONDS - ATTEMPT_SECONDS) < 7.5
    assert "some seven million faces | a container's first search" in page
    gets = loading * 1e6 / SEGMENT_IDS
    assert LIMITS["S3, GET"].value / gets == pytest.approx(100, abs=2)
    assert "100 containers that load at once" in page
    assert arithmetic.memory_mb(Gallery.MEMORY, 54_000_000) <= LIMITS["Lambda, memory"].value
    assert arithmetic.memory_mb(Gallery.MEMORY, 55_000_000) > LIMITS["Lambda, memory"].value
    hours = [faces / MAX_VECTORS_PER_SECOND / 3_600 for faces in (10_000_000, 100_000_000, 1_000_000_000)]
    assert (
        f"10 million faces take {hours[0]:.1f} hours, 100 million {hours[1]:.0f}, a billion {hours[2] / 24:.1f} days"
        in page
    )
    assert f"| {ACCOUNT / arithmetic.seconds(Request.DETECT, Gallery.MEMORY, 0):,.0f} detections a second" in page
    assert LIMITS["S3 Vectors, vectors written"].value == MAX_VECTORS_PER_SECOND
    assert f"from {MAX_TAIL:,} changes on" in page
    month = arithmetic.month(Gallery.S3_VECTORS, 1_000_000_000, 10_000)
    assert month
    assert month["S3 Vectors"] / sum(month.values()) == pytest.approx(0.9, abs=0.03)
    assert arithmetic.database_class(arithmetic.containers(100, 0.25)) == "db.t4g.small"


@pytest.mark.parametrize("name", MEASURED)
def test_measured_figures_are_in_the_benchmarks_page(name: str) -> None:
    figure = MEASURED[name]
    if figure.source == "make bench":
        page = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
        assert re.search(rf"(?<![\d.,]){re.escape(f'{figure.value:,.10g}')}(?![\d,])", page), name


@pytest.mark.parametrize("load", [load for load in command.STEADY if load.rate > 1], ids=str)
def test_busy_containers_follow_littles_law_and_throttling_follows_erlang(load: Steady) -> None:
    offered = load.rate * load.service_seconds()
    report = load.simulated()

    assert report.throttled == pytest.approx(arithmetic.blocked(offered, ACCOUNT), abs=0.01)
    assert report.busy == pytest.approx(offered * (1 - arithmetic.blocked(offered, ACCOUNT)), rel=0.03)


@pytest.mark.parametrize("burst", command.BURSTS, ids=str)
def test_a_burst_starts_a_container_per_request_until_the_first_finishes(burst: Burst) -> None:
    report = burst.simulated()

    assert report.started == pytest.approx(burst.containers(), rel=0.1)
    assert report.throttled == pytest.approx(burst.throttled(), abs=0.02)


def test_a_burst_is_throttled_with_ten_million_faces_in_memory_but_not_with_a_vector_index() -> None:
    memory, vectors = (Burst(g, 10_000_000, 50, 250).simulated() for g in (Gallery.MEMORY, Gallery.S3_VECTORS))

    assert memory.throttled > 0.2
    assert vectors.throttled == 0


@pytest.mark.parametrize("database", deployments())
def test_a_deployment_at_full_load_doubles_the_connections_within_the_limit(database: str) -> None:
    deployment = deployments()[database]
    report = deployment.simulated()

    # Some earlier containers were idle, and new containers take their places.
    assert 1.8 * deployment.concurrency <= report.peak_connections <= 2 * deployment.concurrency
    assert arithmetic.connections(deployment.concurrency) <= deployment.connections == CLASSES[database][0]
    assert report.refused == 0


def test_with_too_few_connections_a_deployment_refuses() -> None:
    assert command.CROWDED.connections < arithmetic.connections(command.CROWDED.concurrency)
    assert command.CROWDED.simulated().refused > 0.01


@pytest.mark.parametrize("rate", [100, 500, 900])
def test_additions_wait_for_the_counter_like_a_single_server_queue(rate: int) -> None:
    wait = Additions(rate).simulated().waited

    assert wait == pytest.approx(arithmetic.lock_wait(rate, LOCK_SECONDS), rel=0.15)


def test_waits_grow_without_end_above_the_counters_capacity() -> None:
    assert arithmetic.lock_wait(1_200, LOCK_SECONDS) == math.inf
    assert Additions(1_200).simulated().waited > 10 * Additions(1_000).simulated().waited


def test_the_formulas_calculated_by_hand() -> None:
    assert arithmetic.blocked(1.0, 1) == pytest.approx(1 / 2)
    assert arithmetic.blocked(2.0, 2) == pytest.approx(2 / 5)
    assert arithmetic.lock_wait(0.5, 1.0) == pytest.approx(0.5)
    assert arithmetic.scan_seconds(10_000) == pytest.approx(0.00124)
    assert arithmetic.scan_seconds(5_500_000) == pytest.approx((0.00795 + 0.05979) / 2)
    assert arithmetic.memory_mb(Gallery.MEMORY, 30_000_000) == math.ceil((311e6 + 193 * 30e6) / 2**20)
    assert arithmetic.database_class(100) == "db.t4g.medium"
    assert arithmetic.index_copies(401) == 3
    assert arithmetic.load_seconds(1_000_000) == pytest.approx(168 / 75)
    assert arithmetic.load_seconds(1_000_000, "db.t4g.small") == pytest.approx(168 / 16)
    assert arithmetic.load_seconds(1_000_000, "db.m7g.large", at_once=10) == pytest.approx(1_680 / 117)
    assert BANDWIDTHS.keys() >= deployments().keys()
    detect = arithmetic.million(Request.DETECT, Gallery.MEMORY, 10_000)
    assert detect["Lambda"] == pytest.approx(1e6 * 0.15 * 1769 / 1024 * 0.0000133334 + 0.20)


def _simulated(times: list[float], fleet: Fleet, seconds: float = 1.0, **more: float) -> Report:
    return simulate(np.array(times), np.full(len(times), seconds), fleet, **more)


def test_a_container_serves_one_request_at_a_time_and_is_reused() -> None:
    report = _simulated([0.0, 0.5, 3.5, 4.0], Fleet(2, cold_seconds=2.0))

    assert report.started == 2
    assert report.peak_busy == 2
    assert (report.p50, report.throttled) == (2.0, 0.0)  # 3, 3, 1 and 1 s


def test_requests_are_throttled_while_all_containers_are_busy() -> None:
    report = _simulated([0.0, 0.1, 0.2], Fleet(2, cold_seconds=1.0))

    assert report.throttled == pytest.approx(1 / 3)


def test_starts_are_limited_per_burst_and_per_second() -> None:
    fleet = Fleet(100, cold_seconds=10.0, starts_at_once=2, starts_per_second=1.0)

    assert _simulated([0.0, 0.0, 0.0, 0.5, 1.5], fleet).throttled == pytest.approx(2 / 5)


def test_a_container_that_ended_keeps_its_connection_until_the_server_closes_it() -> None:
    fleet = Fleet(10, cold_seconds=1.0, connections=1, idle_seconds=10.0)
    ended = 2.0 + 10.0

    assert _simulated([0.0, ended + LINGERING_SECONDS - 1], fleet).refused == pytest.approx(1 / 2)
    assert _simulated([0.0, ended + LINGERING_SECONDS + 1], fleet).refused == 0


def test_a_deployment_ends_idle_containers_at_once_and_busy_ones_when_they_finish() -> None:
    report = _simulated([0.0, 3.0, 3.5], Fleet(10, cold_seconds=1.0), deployed_at=2.5)

    assert report.started == 3
    assert report.peak_connections == 3


def test_a_held_lock_delays_others() -> None:
    report = _simulated([0.0, 0.0, 0.0], Fleet(3, cold_seconds=1.0, warm=3), locked_seconds=0.5)

    assert report.waited == pytest.approx((0 + 0.5 + 1.0) / 3)


def test_arrivals_match_the_rate_and_are_the_same_for_a_seed() -> None:
    one, other = (arrivals(50.0, 100.0, np.random.default_rng(7)) for _ in range(2))

    assert np.array_equal(one, other)
    assert np.all(np.diff(one) >= 0)
    assert len(one) == pytest.approx(5_000, abs=300)  # four standard deviations


def test_ten_million_fit_into_memory_and_a_hundred_million_do_not() -> None:
    assert arithmetic.fits(Gallery.MEMORY, 10_000_000)
    assert not arithmetic.fits(Gallery.MEMORY, 100_000_000)
    assert arithmetic.fits(Gallery.S3_VECTORS, 1_000_000_000)
