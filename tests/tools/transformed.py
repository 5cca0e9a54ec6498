"""The template as CloudFormation sees it after SAM's transform; run, it is printed to be linted."""

from __future__ import annotations

import copy
import functools
import json
import sys
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

TEMPLATE = Path(__file__).parent.parent.parent / "template.yaml"


@functools.cache
def template() -> dict[str, Any]:
    """Return the template as it is written; to be read only, since it is parsed once."""
    parsed: dict[str, Any] = yaml_parse(TEMPLATE.read_text("utf-8"))
    return parsed


def transformed() -> dict[str, Any]:
    """Return the template after the transform; the code is as if it had been uploaded."""
    packaged = copy.deepcopy(template())
    packaged["Resources"]["AthenaScheduleManager"]["Properties"]["CodeUri"] = "s3://bucket/key"
    defaults = {
        name: parameter.get("Default", "https://git.example/config.json")
        for name, parameter in packaged["Parameters"].items()
    }
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name="eu-south-1"))
    result: dict[str, Any] = translator.translate(packaged, defaults)
    return result


if __name__ == "__main__":
    json.dump(transformed(), sys.stdout, indent=2)
