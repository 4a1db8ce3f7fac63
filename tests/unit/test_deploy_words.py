"""What deploying says, and what it hands from one stack to another; CloudFormation's answers are in AWS's own form."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from worker.deploy.changes import in_words, losses, read_changes
from worker.deploy.fleet import usual_parts
from worker.deploy.order import PARTS, Unset, check_chosen, in_order, parameters_of, parse_set
from worker.deploy.settings_file import lacking, merged, settings_of
from worker.deploy.template import TemplateError, home_of_templates, parse_template, read_template, with_names

HOME = Path(__file__).parents[2] / "deploy"
#: Pages of DescribeChangeSet with IncludePropertyValues.
PAGES = [
    {
        "Changes": [
            {"Type": "Resource", "ResourceChange": {"Action": "Add", "LogicalResourceId": "A", "ResourceType": "T::T"}},
            {
                "Type": "Resource",
                "ResourceChange": {
                    "Action": "Modify",
                    "LogicalResourceId": "UploadsQueue",
                    "PhysicalResourceId": "https://sqs/1/modfleet-uploads",
                    "ResourceType": "AWS::SQS::Queue",
                    "Replacement": "False",
                    "Details": [
                        {
                            "Target": {
                                "Attribute": "Properties",
                                "Name": "VisibilityTimeout",
                                "Path": "/Properties/VisibilityTimeout",
                                "RequiresRecreation": "Never",
                                "BeforeValue": "60",
                                "AfterValue": "90",
                                "AttributeChangeType": "Modify",
                            },
                            "Evaluation": "Static",
                        },
                    ],
                },
            },
        ]
    },
    {
        "Changes": [
            {
                "Type": "Resource",
                "ResourceChange": {
                    "PolicyAction": "ReplaceAndRetain",
                    "Action": "Modify",
                    "LogicalResourceId": "ItemsTable",
                    "PhysicalResourceId": "modfleet-items",
                    "ResourceType": "AWS::DynamoDB::Table",
                    "Replacement": "True",
                    "Details": [{"Target": {"Attribute": "Properties", "Name": "KeySchema"}}],
                },
            },
            {
                "Type": "Resource",
                "ResourceChange": {
                    "PolicyAction": "Retain",
                    "Action": "Remove",
                    "LogicalResourceId": "AuditBucket",
                    "PhysicalResourceId": "modfleet-audit",
                    "ResourceType": "AWS::S3::Bucket",
                },
            },
            {
                "Type": "Resource",
                "ResourceChange": {
                    "PolicyAction": "Delete",
                    "Action": "Remove",
                    "LogicalResourceId": "VideoQueue",
                    "PhysicalResourceId": "modfleet-video",
                    "ResourceType": "AWS::SQS::Queue",
                },
            },
            {
                "Type": "Resource",
                "ResourceChange": {"Action": "Import", "LogicalResourceId": "B", "ResourceType": "AWS::S3::Bucket"},
            },
        ]
    },
]


def test_a_change_set_is_told_in_words_with_what_would_be_lost() -> None:
    model = ServiceModel(Loader().load_service_model("cloudformation", "service-2"))
    for page in PAGES:
        shape = model.shape_for("DescribeChangeSetOutput")
        assert not ParamValidator().validate(page, shape).has_errors()
    changes = read_changes(PAGES)
    assert [in_words(change) for change in changes] == [
        "+ A (T T)",
        "~ UploadsQueue (SQS Queue): VisibilityTimeout 60 -> 90",
        "! ItemsTable (DynamoDB Table): replaced by a new one, WITHOUT the rows of modfleet-items: KeySchema",
        "- AuditBucket (S3 Bucket): let go; it stays",
        "! VideoQueue (SQS Queue): deleted, WITHOUT the messages of modfleet-video",
        "> B (S3 Bucket): is there already, and taken over as it is",
    ]
    assert losses(changes) == ("the rows of modfleet-items", "the messages of modfleet-video")


TEMPLATE = parse_template(
    "Parameters: {Prefix: {Type: String}, UploadsBucket: {Type: String}, Image: {Type: String},"
    " Enabled: {Default: true}, Size: {Type: Number}}\nResources: {A: {Type: T}}",
    name="fleet-ecs",
)
DATA = parse_template("Resources: {A: {Type: T}}\nOutputs: {UploadsBucket: {Value: b}}", name="data")


def test_a_parameter_is_what_was_said_else_what_a_stack_says_else_what_it_was() -> None:
    given = parameters_of(
        TEMPLATE,
        prefix="one",
        chosen={"Image": "any", "fleet-ecs.Image": "mine"},
        outputs={"UploadsBucket": "bucket"},
        before=["Size", "Image", "UploadsBucket", "Enabled"],
    )
    assert {one["ParameterKey"]: one.get("ParameterValue", "as before") for one in given.parameters} == {
        "Prefix": "one",
        "UploadsBucket": "bucket",
        "Image": "mine",
        "Size": "as before",
        "Enabled": "as before",
    }


def test_what_nobody_said_is_named_and_what_comes_later_is_awaited() -> None:
    with pytest.raises(Unset) as missing:
        parameters_of(TEMPLATE, prefix="one", chosen={}, outputs={"UploadsBucket": "b"})
    assert "--set fleet-ecs.Image=" in str(missing.value)
    assert "--set fleet-ecs.Size=" in str(missing.value)
    given = parameters_of(TEMPLATE, prefix="one", chosen={"Image": "a", "Size": "1"}, outputs={}, coming=[DATA])
    assert given.awaited == {"UploadsBucket": "data"}
    with pytest.raises(Unset, match=r"data\.Imge"):
        check_chosen({"data.Imge": "a"}, [DATA, TEMPLATE])
    with pytest.raises(Unset, match="no such stack: dta"):
        in_order(["dta"])
    with pytest.raises(Unset, match="NAME=VALUE"):
        parse_set(["Name"])


#: What only people know, by stack: everything else a stack needs is said by those before it.
ASKED = {
    "fleet-ecs": {"VpcId", "SubnetIds", "Image"},
    "fleet-ec2": {"VpcId", "SubnetIds", "Release"},
    "scaling-ecs": {"AlarmTopicArn"},
    "scaling-ec2": {"AlarmTopicArn"},
    "console": {
        *("HostName", "CertificateArn", "VpcId", "SubnetIds", "LoadBalancerSubnetIds", "Image"),
        *("Roles", "OidcIssuer", "OidcClientId"),
    },
    "watch": {"AlarmTopicArn"},
}


def test_each_stack_gets_from_those_before_it_all_that_a_person_need_not_know() -> None:
    said: set[str] = set()
    for name in PARTS:
        template = read_template(HOME, name)
        needs = {key for key, parameter in template.parameters.items() if parameter.default is None}
        assert needs - said == ASKED.get(name, set()), name
        said |= set(template.outputs)


def test_the_wheel_has_every_template() -> None:
    project = tomllib.loads((HOME.parent / "pyproject.toml").read_text("utf-8"))
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included == {f"deploy/{name}.yaml": f"worker/deploy/templates/{name}.yaml" for name in PARTS}


def test_names_are_written_out_where_they_can_be() -> None:
    text = 'BucketName: !Sub "${Prefix}-a-${AWS::AccountId}"\nTableName: !Sub "${Prefix}-${Other}"\nTopicName: !Sub "x"'
    done = 'BucketName: "p-a-1"\nTableName: !Sub "${Prefix}-${Other}"\nTopicName: !Sub "x"'
    assert with_names(text, prefix="p", account="1") == done


def test_settings_are_the_outputs_that_are_settings_and_a_file_keeps_its_other_lines() -> None:
    said = settings_of({"UploadsQueueUrl": "https://q", "WorkerRoleArn": "arn", "CacheTag": ""}, region="eu-west-1")
    assert said == {"AWS_DEFAULT_REGION": "eu-west-1", "MODFLEET_UPLOADS_QUEUE_URL": "https://q"}
    assert "MODFLEET_ITEMS_TABLE" in lacking(said)
    text = "# mine\nexport AWS_DEFAULT_REGION=us-east-1\nMODFLEET_APPEAL_SECRET=x y\n"
    assert merged(text, {"AWS_DEFAULT_REGION": "eu west"}) == (
        "# mine\nAWS_DEFAULT_REGION='eu west'\nMODFLEET_APPEAL_SECRET=x y\n"
    )


def test_a_folder_without_templates_and_a_template_that_is_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="--templates"):
        home_of_templates(None, homes=[tmp_path])
    with pytest.raises(TemplateError, match=r"edge\.yaml"):
        read_template(tmp_path, "edge")
    (tmp_path / "edge.yaml").write_text("[a, list]")
    with pytest.raises(TemplateError, match="no CloudFormation template"):
        read_template(tmp_path, "edge")
    (tmp_path / "edge.yaml").write_text(f"# {'x' * 51_200}\nResources: {{}}")
    with pytest.raises(TemplateError, match="make two stacks of it"):
        read_template(tmp_path, "edge")


def test_what_is_there_is_what_is_brought_up_to_date() -> None:
    assert usual_parts(["watch", "data"]) == ["data", "watch"]
    assert usual_parts([])[:2] == ["data", "guardrail"]
    assert "fleet-ec2" not in usual_parts([])
