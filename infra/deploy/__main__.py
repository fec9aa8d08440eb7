"""Runs `make deploy`: deploys a packaged stage to AWS, migrates its database, and prints how to call it.

Safe to repeat: existing artifacts are not uploaded again, and an unchanged stack is not updated.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from infra.deploy import change_set, migration, next_steps, quotas, vector_bucket
from infra.deploy.account import CONFIG, Account, explained, sign_in
from infra.deploy.artifacts import ArtifactBucket
from infra.deploy.errors import DeployError
from infra.deploy.package import image
from infra.deploy.package.errors import PackageError
from infra.deploy.package.stage import parameters
from infra.deploy.packaged_stage import Package, load
from infra.deploy.stack import EMPTY, GONE, REACHED, Stack, stack_name
from infra.deploy.versions import RELEASE, Versions, new_schema, release, schema

if TYPE_CHECKING:
    from infra.deploy.change_set import ChangeSet

# How many changes are printed one by one.
MAX_LISTED = 60
# The outputs needed to migrate and call a stack.
OUTPUTS = ("ApiUrl", "ApiKeyId", "ApiFunction", "ApiVersionNumber", "MigrateFunction")
# By the stage's Identity: what a caller needs first, and curl's options that prove who calls.
_FETCH = {
    "key": "Fetch its key",
    "iam": "Set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN",
    "jwt": "Get a TOKEN from the issuer",
}
_PROOF = {
    "key": '-H "x-api-key: $KEY"',
    "iam": '--aws-sigv4 aws:amz:{region}:execute-api --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" '
    '-H "x-amz-security-token: $AWS_SESSION_TOKEN"',
    "jwt": '-H "Authorization: Bearer $TOKEN"',
}
DONE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", REACHED)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m infra.deploy", description=__doc__)
    parser.add_argument("stage", help="name of a file in infra/deploy/stages/")
    parser.add_argument(
        "--check", action="store_true", help="only check the stage, credentials, region and the account's quotas"
    )
    parser.add_argument("--confirm", default="", help="`replace`: deploy even if the database, table or bucket is lost")
    options = parser.parse_args(arguments)
    # Print each line at once, even into a log file.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        chosen = parameters(options.stage)
        account = sign_in()
        image.check_region(chosen, account.region)
        with explained():
            if _stack(account, options.stage).status() in (GONE, EMPTY):
                quotas.check(account, chosen)
            if not options.check:
                deploy(options.stage, account, replace=options.confirm == "replace")
    except (DeployError, PackageError) as error:
        sys.exit(f"Not deployed: {error}.")
    except KeyboardInterrupt:
        sys.exit(
            "\nInterrupted. CloudFormation continues at AWS: `make deploy` with the same STAGE= waits for it, and then "
            "does the remaining steps, including the migration."
        )


def deploy(stage: str, account: Account, *, replace: bool) -> None:
    """Upload the artifacts, update the stack, migrate the database, and print how to call the API.

    Raises
    ------
    DeployError
        When a step fails.
    """
    package = load(stage)
    print(f"Stage {stage} in account {account.id}, region {account.region}.")
    bucket = ArtifactBucket(account)
    bucket.ensure()
    given = {"ArtifactBucket": bucket.name, **_upload(package, bucket)}
    template, _ = bucket.upload(package.template)
    stack = _stack(account, stage)
    if obstacle := next_steps.obstacle(stack.idle(), stack, stage):
        _print_failures(stack)
        raise DeployError(obstacle)
    parameters, live = _with_release(package, given, stack, account)
    changes = change_set.propose(
        stack,
        template_url=bucket.url(template),
        parameters=parameters,
        tags={"service": "face-search", "stage": stage},
        name=f"deploy-{datetime.now(UTC):%Y%m%d-%H%M%S}",
    )
    if changes is None:
        print("The stack is up to date.")
    else:
        vectors = set() if changes.creates else set(stack.resources(vector_bucket.TYPE))
        try:
            _apply(changes, stack, stage, replace=replace)
        except DeployError:
            _keep_live(live, stack, account)
            raise
        for left in vectors - set(stack.resources(vector_bucket.TYPE)):
            name = vector_bucket.delete(account.session.client("s3vectors", config=CONFIG), left)
            print(f"Deleted the vector bucket {name} with all its indexes: the stage no longer uses it.")
    outputs = stack.outputs()
    if missing := [name for name in OUTPUTS if name not in outputs]:
        raise DeployError(
            f"{stack.name} has no output {', '.join(missing)}: it was not made from this project's template"
        )
    versions = Versions(account, outputs["ApiFunction"])
    if changes is not None:
        # Before the migration: a repeated deployment no longer knows which version was live.
        versions.prune({versions.live(), outputs["ApiVersionNumber"], live or ""})
    answer = migration.migrate(
        account, function=outputs["MigrateFunction"], secret=outputs.get("DatabaseSecretArn"), stage=stage
    )
    print(f"Database: {answer}.")
    if reason := versions.failure():
        raise DeployError(
            f"version {versions.live()} of the API's function is live and does not work: {reason}. "
            f"`make rollback STAGE={stage}` returns to the version before"
        )
    print(f"Version {versions.live()} of the API's function is live, and answers.")
    _print_how_to_call(outputs, account.region)


def _with_release(
    package: Package, given: dict[str, str], stack: Stack, account: Account
) -> tuple[dict[str, str], str | None]:
    """Return the stack's parameters, and the version of the API's function that is live now.

    After a rollback the alias is not where CloudFormation left it. The function is then published again, so that this
    deployment changes the alias. CodeDeploy would refuse a shift from another version than CloudFormation's.
    """
    template = json.loads(package.template.read_text("utf-8"))
    parameters = package.parameters | given
    outputs = stack.outputs()
    if not {"ApiFunction", "ApiVersionNumber"} <= outputs.keys():
        return parameters | {RELEASE: release(template, parameters, None)}, None
    versions = Versions(account, outputs["ApiFunction"])
    live = versions.live()
    rolled_back = live != outputs["ApiVersionNumber"]
    parameters[RELEASE] = release(template, parameters, None if rolled_back else stack.parameters().get(RELEASE))
    if rolled_back:
        print(f"Version {live} is live since a rollback from version {outputs['ApiVersionNumber']}.")
    if parameters.get("Shift") == "canary":
        present = versions.one(live)
        new_tables = present is None or schema(present.get("Description", "")) != new_schema(template)
        if rolled_back or new_tables:
            reason = "after a rollback" if rolled_back else "because the new version needs another database schema"
            print(f"All requests change to the new version at once, {reason}.")
            parameters["Shift"] = "all-at-once"
    return parameters, live


def _keep_live(version: str | None, stack: Stack, account: Account) -> None:
    """Let clients reach a version again, if CloudFormation undid a deployment after a rollback.

    It returned to the version that the rollback had left.
    """
    function = stack.outputs().get("ApiFunction")
    if version is None or function is None or not stack.status().endswith("_COMPLETE"):
        return
    versions = Versions(account, function)
    alias = versions.alias()
    if alias["FunctionVersion"] != version:
        versions.point(version, alias["RevisionId"])
        print(f"Version {version} of the API's function is live again.")


def _stack(account: Account, stage: str) -> Stack:
    return Stack(account.session.client("cloudformation", config=CONFIG), stack_name(stage))


def _upload(package: Package, bucket: ArtifactBucket) -> dict[str, str]:
    """Upload the artifacts that are not in the bucket; return each artifact's key by its parameter."""
    keys = {}
    for parameter, path in package.artifacts.items():
        keys[parameter], fresh = bucket.upload(path)
        size = f"{path.stat().st_size / 1e6:.1f} MB"
        print(f"  {path.name}: {f'uploaded, {size}' if fresh else 'already uploaded'}")
    return keys


def _apply(changes: ChangeSet, stack: Stack, stage: str, *, replace: bool) -> None:
    if changes.creates:
        print(f"Creating {len(changes.changes)} resources; the database alone takes about ten minutes.")
    else:
        print(f"{len(changes.changes)} changes:")
        for change in changes.changes[:MAX_LISTED]:
            print(f"  {change_set.described(change)}")
        if len(changes.changes) > MAX_LISTED:
            print(f"  and {len(changes.changes) - MAX_LISTED} more")
    lost = [change_set.described(change) for change in changes.changes if change_set.loses_data(change)]
    if lost and not replace:
        stack.client.delete_change_set(ChangeSetName=changes.id)
        raise DeployError(
            "\n".join(["these changes would LOSE or abandon stored data:", *(f"  {line}" for line in lost)])
            + "\nNothing was changed. Undo the change in the stage's file or the template that causes this; or make a "
            f"backup and run `make deploy STAGE={stage} CONFIRM=replace`"
        )
    before = stack.newest_event()
    stack.client.execute_change_set(ChangeSetName=changes.id)
    status = stack.follow(before)
    if status not in DONE:
        _print_failures(stack)
        raise DeployError(next_steps.failed(status, stack, stage))


def _print_failures(stack: Stack) -> None:
    if lines := next_steps.told(stack.failures()):
        print("\nFailures, earliest first:", *lines, sep="\n")


def _print_how_to_call(outputs: dict[str, str], region: str) -> None:
    url = outputs["ApiUrl"].rstrip("/")
    identity = outputs.get("Identity", "key")
    print(f"\nThe API is at {url}. {_FETCH[identity]} and try it:\n")
    if identity == "key":
        print(
            f"  KEY=$(aws apigateway get-api-key --api-key {outputs['ApiKeyId']} --include-value --query value "
            f"--output text --region {region})"
        )
    print(f"  curl {url}/health")
    print(f"  curl {_PROOF[identity].format(region=region)} -F image_file=@photo.jpg {url}/detect")
    if dashboard := outputs.get("DashboardUrl"):
        print(f"\nDashboard: {dashboard}")


if __name__ == "__main__":
    main()
