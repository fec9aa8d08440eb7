"""Faces from detection to removal, over HTTP, with the stack that `make run` starts."""

from __future__ import annotations

import pytest

from tests.e2e.carriers import Carriers
from tests.e2e.comparing import Comparing
from tests.e2e.face_management import Listing, OneFace
from tests.e2e.face_sets import FaceSets, Grouping
from tests.e2e.grouped import Groups
from tests.e2e.http_api import HttpApi
from tests.e2e.identifying import Identifying, SimilarPeople
from tests.e2e.person_management import People
from tests.e2e.walk import Walk


class TestOnSqlite(
    Walk, Listing, OneFace, FaceSets, Grouping, People, Comparing, Groups, Identifying, SimilarPeople, Carriers
):
    smoke_only = True

    @pytest.fixture
    def api(self, sqlite_api: HttpApi) -> HttpApi:
        return sqlite_api


class TestOnMysql(Walk, Listing, OneFace, FaceSets, Grouping, People, Comparing, Groups, Identifying, SimilarPeople):
    smoke_only = True

    @pytest.fixture
    def api(self, mysql_api: HttpApi) -> HttpApi:
        return mysql_api
