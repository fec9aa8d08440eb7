"""Identifies the AWS account, and explains AWS's errors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from boto3.exceptions import S3UploadFailedError
from botocore import exceptions as sdk
from botocore.config import Config

from infra.deploy.errors import DeployError

if TYPE_CHECKING:
    from boto3.session import Session

MAX_ATTEMPTS = 6
CONFIG = Config(retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS})

RIGHTS = "docs/deploying.md lists the rights that a deployment needs"

_NO_CREDENTIALS = (
    "there are no AWS credentials: run `aws configure` or `aws sso login`, or choose a profile with AWS_PROFILE="
)
_EXPIRED = "the AWS credentials have expired: sign in again, for example with `aws sso login`, and repeat the command"
_WRONG = "AWS rejected the credentials: check AWS_ACCESS_KEY_ID and AWS_PROFILE, or sign in again"
_NO_REGION = "no region is set: set AWS_REGION, for example AWS_REGION=eu-central-1, or run `aws configure set region`"

_EXPIRED_CODES = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_WRONG_CODES = frozenset(
    {
        "AuthFailure",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_REFUSED_CODES = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"})


@dataclass(frozen=True, slots=True)
class Account:
    """The account of the environment's credentials, and the environment's region."""

    session: Session
    id: str
    partition: str
    region: str


def sign_in() -> Account:
    """Return the account of the environment's credentials, as AWS reports it.

    Raises
    ------
    DeployError
        When there are none, they are not valid, or no region is set.
    """
    with explained():
        # AWS's other tools read AWS_REGION; boto3 reads only AWS_DEFAULT_REGION.
        session = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
        if session.get_credentials() is None:
            raise DeployError(_NO_CREDENTIALS)
        if session.region_name is None:
            raise DeployError(_NO_REGION)
        identity = session.client("sts", config=CONFIG).get_caller_identity()
    return Account(session, identity["Account"], identity["Arn"].split(":")[1], session.region_name)


@contextmanager
def explained() -> Iterator[None]:
    """Turn the SDK's errors in the block into DeployErrors that say what to do."""
    try:
        yield
    except (sdk.NoCredentialsError, sdk.PartialCredentialsError) as error:
        raise DeployError(_NO_CREDENTIALS) from error
    except sdk.ProfileNotFound as error:
        raise DeployError(f"{error}: AWS_PROFILE= must be one of `aws configure list-profiles`") from error
    except (sdk.SSOError, sdk.TokenRetrievalError, sdk.CredentialRetrievalError) as error:
        raise DeployError(f"{_EXPIRED} ({error})") from error
    except sdk.NoRegionError as error:
        raise DeployError(_NO_REGION) from error
    except (sdk.InvalidRegionError, sdk.EndpointConnectionError, sdk.ConnectTimeoutError) as error:
        raise DeployError(f"{error} Check the region and the network connection") from error
    except sdk.ClientError as error:
        raise DeployError(_refusal(error)) from error
    except (sdk.BotoCoreError, S3UploadFailedError) as error:
        raise DeployError(f"the request to AWS failed: {error}") from error


def error_code(error: sdk.ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "unknown")


def _refusal(error: sdk.ClientError) -> str:
    code = error_code(error)
    if code in _EXPIRED_CODES:
        return _EXPIRED
    if code in _WRONG_CODES:
        return _WRONG
    message = error.response.get("Error", {}).get("Message", code)
    if code in _REFUSED_CODES:
        return f"AWS refuses {error.operation_name}: {message}. {RIGHTS}"
    return f"{error.operation_name} failed: {message} ({code})"
