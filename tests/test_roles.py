"""The roles of the pipelines: whom they trust, and what they may do."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from tests.tools.transformed import template
from tests.world.runner import ACTIONS


def roles() -> Any:
    """Return the template of the roles."""
    return yaml_parse((ACTIONS / "roles.yaml").read_text("utf-8"))


VALUES = {
    "Repository": "octo_acme/octo.repo",
    "Owner": "octo_acme",
    "Name": "octo.repo",
    "OwnerId": "123456",
    "RepositoryId": "456789",
    "Branch": "master",
    "Issuer": "git.example/_services/token",
    "AWS::Partition": "aws",
    "AWS::AccountId": "123456789012",
}


def trust(role: str, *, subject: str = "") -> Any:
    """Return whom a role trusts, with these values of the parameters."""
    document, texts = roles()["Resources"][role]["Properties"]["AssumeRolePolicyDocument"][
        "Fn::Sub"
    ]
    _, given, usual = texts["Subjects"]["Fn::If"]
    subjects = given["Fn::Sub"] if subject else usual["Fn::Sub"][0]
    values = VALUES | {"PreviewSubject": subject, "PublishSubject": subject}
    values["Subjects"] = re.sub(r"\$\{(\w+)\}", lambda m: values[m[1]], subjects)
    return json.loads(re.sub(r"\$\{([\w:]+)\}", lambda m: values[m[1]], document))


SUBJECTS = ("repo:octo_acme@123456/octo.repo@456789", "repo:octo_acme/octo.repo")


def test_the_preview_role_trusts_pull_requests_the_merge_queue_and_the_branch() -> None:
    """By the immutable subject and by that of older repositories, and nothing wider."""
    [statement] = trust("PreviewRole")["Statement"]
    assert statement["Condition"]["StringEquals"] == {
        "git.example/_services/token:aud": "sts.amazonaws.com"
    }
    [(key, subjects)] = statement["Condition"]["StringLike"].items()
    assert key == "git.example/_services/token:sub"
    endings = (
        ":pull_request",
        ":ref:refs/heads/gh-readonly-queue/master/*",
        ":ref:refs/heads/master",
    )
    assert subjects == [subject + ending for subject in SUBJECTS for ending in endings]


def test_the_publish_role_trusts_the_branch_alone() -> None:
    """By either subject, letter by letter."""
    [statement] = trust("PublishRole")["Statement"]
    assert statement["Principal"] == {
        "Federated": "arn:aws:iam::123456789012:oidc-provider/git.example/_services/token"
    }
    assert statement["Condition"] == {
        "StringEquals": {
            "git.example/_services/token:aud": "sts.amazonaws.com",
            "git.example/_services/token:sub": [f"{s}:ref:refs/heads/master" for s in SUBJECTS],
        }
    }


@pytest.mark.parametrize("role", ["PreviewRole", "PublishRole"])
def test_another_host_brings_its_own_subject(role: str) -> None:
    """GitLab, say: then no repository of GitHub is trusted."""
    subject = "project_path:group/project:ref_type:branch:ref:main"
    [statement] = trust(role, subject=subject)["Statement"]
    conditions = statement["Condition"]
    trusted = conditions["StringEquals"] | conditions.get("StringLike", {})
    assert trusted["git.example/_services/token:sub"] == [subject]


@pytest.mark.parametrize(
    ("parameter", "taken", "refused"),
    [
        (
            "Repository",
            ["octo-org/octo-repo", "jane_acme/a.b_c", ""],
            ["octo", "a/b/c", "a/*", "*/b"],
        ),
        ("OwnerId", ["123456", ""], ["*", "octo", "1*"]),
        ("RepositoryId", ["456789", ""], ["*", "456789:"]),
        ("Branch", ["main", "master", "release/1.x"], ["*", "feature/?", "a b", ""]),
        (
            "Issuer",
            ["token.actions.githubusercontent.com/octo", "git.example:8443"],
            ["https://x*"],
        ),
        ("PublishSubject", ["project_path:g/p:ref_type:branch:ref:main", ""], ["project_path:*"]),
        ("PreviewSubject", ["project_path:g/p:ref_type:branch:ref:*"], ['x"', "a b"]),
    ],
)
def test_a_parameter_takes_what_is_meant(
    parameter: str, taken: list[str], refused: list[str]
) -> None:
    """No star widens whom a role that publishes trusts; `_` is in the names of managed users."""
    pattern = roles()["Parameters"][parameter]["AllowedPattern"]
    assert [value for value in taken if not re.search(pattern, value)] == []
    assert [value for value in refused if re.search(pattern, value)] == []


def test_no_role_has_a_fixed_name() -> None:
    """Two repositories, projects or Regions in one account; a name may be given."""
    for role in ("PreviewRole", "PublishRole"):
        name = roles()["Resources"][role]["Properties"]["RoleName"]
        assert name["Fn::If"][1:] == [{"Ref": f"{role}Name"}, {"Ref": "AWS::NoValue"}]
        assert roles()["Parameters"][f"{role}Name"]["Default"] == ""


def statements(role: str) -> list[Any]:
    """Return what a role may do."""
    [policy] = roles()["Resources"][role]["Properties"]["Policies"]
    found: list[Any] = policy["PolicyDocument"]["Statement"]
    return found


def granted(role: str) -> set[str]:
    """Return the actions that a role may call."""
    actions: set[str] = set()
    for statement in statements(role):
        if statement["Effect"] == "Allow":
            named = statement["Action"]
            actions |= {named} if isinstance(named, str) else set(named)
    return actions


def test_the_preview_role_may_invoke_the_manager_and_nothing_else() -> None:
    """Not even look at the stack, whose URL may hold a token."""
    assert granted("PreviewRole") == {"lambda:InvokeFunction"}


NOT_NEEDED = {  # of an update of one environment variable, each with its reason
    "iam:PassRole": "granted for the manager's role alone",
    "kms:CreateGrant": "no key is changed",
    "kms:Decrypt": "a key of one's own allows it in its policy",
    "kms:DescribeKey": "no key is changed",
    "kms:GenerateDataKey": "a key of one's own allows it in its policy",
    "ec2:DescribeSecurityGroups": "the function is in no VPC",
    "ec2:DescribeSubnets": "the function is in no VPC",
    "ec2:DescribeVpcs": "the function is in no VPC",
    "elasticfilesystem:DescribeMountTargets": "the function has no file system",
    "s3files:ListMountTargets": "the function has no file system",
    "s3:GetObject": "the code stays",
    "s3:GetObjectVersion": "the code stays",
    "lambda:UpdateFunctionCode": "the code stays, and must",
    "lambda:PublishVersion": "the function has no versions",
    "lambda:TagResource": "the tags stay",
    "lambda:UntagResource": "the tags stay",
    "lambda:PutFunctionConcurrency": "the concurrency stays",
    "lambda:DeleteFunctionConcurrency": "the concurrency stays",
    "lambda:PutFunctionRecursionConfig": "it stays",
    "lambda:PutFunctionScalingConfig": "it stays",
    "lambda:PutRuntimeManagementConfig": "it stays",
    "lambda:PutFunctionCodeSigningConfig": "it stays",
    "lambda:DeleteFunctionCodeSigningConfig": "it stays",
    "lambda:GetCodeSigningConfig": "the function has none",
    "lambda:PassCapacityProvider": "the function has none",
    "lambda:AssociateRuntimeAlias": "the runtime stays",
}


def test_what_the_update_needs_is_what_the_resource_types_own_schema_says() -> None:
    """What its handlers read is granted, and of what they write the configuration alone."""
    # It takes a second to import, in each process of the tests.
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # noqa: PLC0415 - see above

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("eu-south-1", "AWS::Lambda::Function")
    handlers = schema.schema["handlers"]
    needed = {*handlers["read"]["permissions"], *handlers["update"]["permissions"]}
    assert needed - granted("PublishRole") == set(NOT_NEEDED) - {"iam:PassRole"}
    assert "lambda:GetFunctionScalingConfig" in granted("PublishRole")
    assert "lambda:UpdateFunctionCode" not in granted("PublishRole")


def test_the_function_alone_changes_with_the_url() -> None:
    """Or the update would need the rights of another type, too."""
    using = {
        name
        for name, resource in template()["Resources"].items()
        if '{"Ref": "ConfigGitUrl"}' in json.dumps(resource)
    }
    assert using == {"AthenaScheduleManager"}


def test_the_managers_role_is_passed_by_its_arn() -> None:
    """CloudFormation cuts the name that it makes at 64 characters."""
    [passing] = [s for s in statements("PublishRole") if s["Action"] == "iam:PassRole"]
    assert passing["Resource"] == {"Ref": "ManagerRoleArn"}
    assert passing["Condition"]["StringEquals"] == {"iam:PassedToService": "lambda.amazonaws.com"}


def test_no_layer_can_be_added() -> None:
    """It would be code beside the manager's, with the manager's rights."""
    [denied] = [s for s in statements("PublishRole") if s["Effect"] == "Deny"]
    assert denied["Action"] == "lambda:UpdateFunctionConfiguration"
    assert denied["Condition"] == {"ForAnyValue:StringLike": {"lambda:Layer": "*"}}
