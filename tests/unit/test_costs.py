"""The cost page shows the script's figures, and the script's sums are right."""

from __future__ import annotations

import pytest

from infra.deploy import costs, prices
from infra.deploy.packaged_stage import ROOT

IDLE, _, MILLION = costs.LOADS


def test_the_page_contains_the_scripts_tables() -> None:
    page = (ROOT / "docs" / "costs.md").read_text("utf-8")
    for title, table in costs.tables().items():
        assert f"## {title}\n" in page
        assert table in page


def test_one_month_calculated_by_hand() -> None:
    """The sums that a reader would add up with a pocket calculator."""
    assert costs.database_costs(costs.SMALLEST) == pytest.approx(730 * 0.032 + 20 * 0.115 + 0.40)
    month = costs.parts(MILLION)
    assert month["DynamoDB: tokens"] == pytest.approx(0.625)
    assert month["API Gateway"] == pytest.approx(3.50 + 1.5 * 0.09)
    assert month["Lambda: requests"] == pytest.approx(1e6 * 0.17 * 1769 / 1024 * 0.0000133334 + 0.20)
    assert costs.rekognition(MILLION) == pytest.approx(1000.10)


def test_the_page_names_the_dominant_costs() -> None:
    """Figures in the page's sentences that no table contains."""
    idle = costs.total(IDLE)
    assert costs.database_costs(costs.SMALLEST) / idle == pytest.approx(7 / 8, abs=0.02)
    assert costs.total(MILLION) - idle == pytest.approx(16, abs=0.5)
    slower = 1e6 * 0.30 * costs.MEMORY_GB * prices.PRICES["Lambda, arm64"].usd
    assert slower == pytest.approx(7, abs=0.5)


def test_aws_worked_examples_for_vectors() -> None:
    """Vectors of 5.17 KB: a million queries to an index of 250,000, ten million to one of 10 million (in 2025)."""
    vector_bytes = 5.17 * 1024
    assert 1e6 * costs.vector_query(250_000, vector_bytes) == pytest.approx(5.87, abs=0.01)
    assert 1e7 * costs.vector_query(10_000_000, vector_bytes) == pytest.approx(997.62, abs=0.5)
    assert costs.vector_storage(10_000_000, 6.17 * 1024) == pytest.approx(3.54, abs=0.02)


def test_the_page_compares_the_costs_of_vectors_and_memory() -> None:
    page = (ROOT / "docs" / "costs.md").read_text("utf-8")
    for figure in (costs.idle_endpoint(), 1e6 * costs.vector_query(10_000_000)):
        assert f" {figure:.2f} " in page
    scan = 1e6 * 0.0598 * costs.MEMORY_GB * prices.usd("Lambda, arm64")  # docs/benchmarks.md, at ten million
    assert f"scan takes {scan:.2f} " in page.replace("\n", " ")
    template = (ROOT / "infra" / "deploy" / "template" / "vectors.yaml").read_text("utf-8")
    alarms, metrics = template.count("Type: AWS::CloudWatch::Alarm"), 2
    more = prices.usd("CloudWatch, alarm", alarms) + prices.usd("CloudWatch, metric", metrics)
    assert f"two alarms and two metrics more are {more:.2f}." in " ".join(page.split())
    one_by_one, batched = costs.vector_put(1), costs.vector_put(costs.PUT_BATCH) / costs.PUT_BATCH
    assert one_by_one / batched == pytest.approx(240, abs=2)


def test_every_rule_of_the_firewall_is_paid_for() -> None:
    rules = (ROOT / "infra" / "deploy" / "template" / "edge.yaml").read_text("utf-8").count("Priority: ")
    transformations = 2
    assert rules - transformations == costs.FIREWALL_RULES
    assert costs.additions(1_000_000)["`RequestsPerAddress`: WAF with three rules"] == pytest.approx(8.60)


def test_aurora_costs_nothing_but_storage_and_its_secret_while_it_is_paused() -> None:
    [aurora] = [database for database in costs.DATABASES if not database.instance]

    assert costs.database_costs(aurora) == pytest.approx(0.10 + 0.40)
    assert costs.database_costs(aurora, 1_000_000) == pytest.approx(0.5 * 730 * 0.12 + 0.10 + 10 * 0.20 + 0.40)
    assert costs.total(IDLE, aurora) < 5


def test_every_alarm_is_paid_for() -> None:
    alarms = (ROOT / "infra" / "deploy" / "template" / "alarms.yaml").read_text("utf-8")
    every = alarms.count("Type: AWS::CloudWatch::Alarm")
    of_aurora, of_rds = (alarms.count(f"Condition: {name}IsCreated") for name in ("Aurora", "Rds"))
    assert (every - of_aurora, every - of_rds) == (costs.ALARMS, costs.AURORA_ALARMS)


def test_at_the_break_even_both_cost_the_same() -> None:
    for database in (each for each in costs.DATABASES if each.instance):
        each = (costs.total(MILLION, database) - costs.total(IDLE, database)) / MILLION.requests
        requests = costs.break_even(database)
        assert costs.total(IDLE, database) + requests * each == pytest.approx(requests * 0.001 + 0.10)
