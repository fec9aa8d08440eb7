"""Resolve a template with its parameters as CloudFormation does, as far as possible without AWS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Template = dict[str, Any]
# Marks a value that AWS::NoValue leaves out.
NOTHING = object()


class Resolved:
    """A template with parameters, conditions and mappings resolved. Values that only AWS knows stay unresolved.

    Attributes
    ----------
    parameters
        The template's defaults, overridden by `chosen`.
    resources
        The resources with a true condition or none.
    """

    def __init__(self, template: Template, chosen: Mapping[str, str], region: str = "eu-central-1") -> None:
        self._template = template
        self.parameters: dict[str, Any] = {
            name: described["Default"] for name, described in template["Parameters"].items() if "Default" in described
        }
        self.parameters |= {"AWS::Region": region, "AWS::StackName": "face-search-dev", **chosen}
        self.resources: dict[str, dict[str, Any]] = {
            name: self._value(resource)
            for name, resource in template["Resources"].items()
            if "Condition" not in resource or self._holds(resource["Condition"])
        }
        self.outputs: dict[str, Any] = {
            name: self._value(output)
            for name, output in template["Outputs"].items()
            if "Condition" not in output or self._holds(output["Condition"])
        }

    def properties(self, name: str) -> dict[str, Any]:
        properties: dict[str, Any] = self.resources[name]["Properties"]
        return properties

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the properties of all resources of a type."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.resources.items()
            if resource["Type"] == kind
        }

    def statements(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield every policy statement with the role that has it, or with the managed policy that contains it."""
        for properties in self.of_type("AWS::IAM::Policy").values():
            for role in properties["Roles"]:
                yield from ((role["Ref"], statement) for statement in properties["PolicyDocument"]["Statement"])
        for name, properties in (self.of_type("AWS::IAM::Role") | self.of_type("AWS::IAM::ManagedPolicy")).items():
            documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
            documents += [properties["PolicyDocument"]] if "PolicyDocument" in properties else []
            for document in documents:
                yield from ((name, statement) for statement in document["Statement"])

    def _holds(self, condition: str) -> bool:
        return bool(self._test(self._template["Conditions"][condition]))

    def _test(self, expression: dict[str, Any]) -> bool:
        [(function, operands)] = expression.items()
        if function == "Condition":
            return self._holds(operands)
        if function == "Fn::Not":
            return not self._test(operands[0])
        if function in ("Fn::And", "Fn::Or"):
            return (all if function == "Fn::And" else any)(map(self._test, operands))
        assert function == "Fn::Equals", function
        first, second = map(self._value, operands)
        return str(first) == str(second)

    def _value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [item for item in map(self._value, value) if item is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1 and (known := self._function(*next(iter(value.items())))) is not None:
            return known
        items = ((key, self._value(item)) for key, item in value.items())
        return {key: item for key, item in items if item is not NOTHING}

    def _function(self, function: str, operands: Any) -> Any:
        """Return the result of a CloudFormation function, or None if only AWS knows it."""
        match function:
            case "Ref" if isinstance(operands, str):
                return NOTHING if operands == "AWS::NoValue" else self.parameters.get(operands)
            case "Fn::If":
                return self._value(operands[1 if self._holds(operands[0]) else 2])
            case "Fn::FindInMap":
                mapping, first, second = map(self._value, operands)
                return self._template["Mappings"][mapping][first][second]
            case "Fn::Join" if isinstance(listed := self._value(operands[1]), str):  # a parameter that is a list
                return operands[0].join(listed.split(","))
            case "Fn::Sub":
                return self._substituted(operands)
        return None

    def _substituted(self, operands: Any) -> str:
        """Replace every ${...} with a known value, and keep the others."""
        text, own = operands if isinstance(operands, list) else (operands, {})
        for name, value in {**self.parameters, **{key: self._value(item) for key, item in own.items()}}.items():
            match value:
                case {"Fn::GetAtt": [resource, attribute]}:
                    text = text.replace(f"${{{name}}}", f"${{{resource}.{attribute}}}")
                case str() | int():
                    text = text.replace(f"${{{name}}}", str(value))
        return str(text)


def texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text in a template with its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from texts(item, f"{path}/{key}")
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from texts(item, f"{path}/{place}")
    elif isinstance(value, str):
        yield path, value
