"""Invalid configurations, and the error line that an operator reads."""

# Each case of the table is on one line, as is the message that the operator sees.
# ruff: noqa: E501

from __future__ import annotations

import string
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapper_project import config
from swapper_project.config import Config, ConfigError
from swapper_project.config.sections.quantities import duration, format_duration, format_size, size
from tests.config import examples

TARGET = "target: {type: oci, oci: {endpoint: r.io}}\n"
AWS = "accountId: '123456789012', region: eu-central-1"


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.parse(text, name="c.yaml")
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "c.yaml: target: is missing"),
        ("# nothing\n", "c.yaml: target: is missing"),
        ("- a\n", "c.yaml: the file must be a mapping (keys with values) at its top"),
        ("just text", "c.yaml: the file must be a mapping (keys with values) at its top"),
        ("a: [1", "c.yaml:1: this is not valid YAML: did not find expected ',' or ']' while parsing a flow sequence that begins on line 1, column 4"),
        ("a: 1\n\tb: 2", "c.yaml:2: this is not valid YAML: a tab is used to indent: use spaces"),
        ("a: \x01", "c.yaml: this is not valid YAML: it has a character that YAML does not allow"),
        ("a: !!python/object:os.system x", "c.yaml:1: this is not valid YAML: the tag !!python/object:os.system is not supported: use plain data"),
        ("a: 1\n---\nb: 2", "c.yaml:3: this is not valid YAML: there is a second document; keep one"),
        ("? [a]\n: b", "c.yaml:1: this is not valid YAML: a key must be text"),
        ("dryRun: true\n\ndryRun: false\n" + TARGET, "c.yaml:3: dryRun: is set twice, first in line 1"),
        ("dryRun: true\nDryRun: false\n" + TARGET, "c.yaml:2: DryRun: dryRun and DryRun are the same key, set twice (first in line 1)"),
        (TARGET + "dryRn: true", "c.yaml:2: dryRn: is an unknown key; did you mean dryRun?"),
        (TARGET + "tlsKey: a", "c.yaml:2: tlsKey: is an unknown key; did you mean tlsKeyFile?"),
        (TARGET + "copy: {workers: 8}", "c.yaml:2: copy.workers: is an unknown key; valid keys: images, blobs, maxImageBytes"),
        (TARGET + "accountId: 1", "c.yaml:2: accountId: is an unknown key here; there is target.aws.accountId"),
        (TARGET + "cacheTtlMinutes: 10", "c.yaml:2: cacheTtlMinutes: is now existence.maxAge, a duration such as 10m"),
        (TARGET + "source: {privateRegistries: []}", "c.yaml:2: source.privateRegistries: is now source.registries"),
        (TARGET + "dryRun: 'true'", "c.yaml:2: dryRun: must be true or false, without quotes"),
        (TARGET + "logLevel: 1", "c.yaml:2: logLevel: must be 'trace', 'debug', 'info', 'warn', 'warning', 'error', 'fatal' or 'panic', not '1'"),
        (TARGET + "imageSwapPolicy: exist", "c.yaml:2: imageSwapPolicy: must be 'always' or 'exists', not 'exist'; did you mean exists?"),
        (TARGET + "imageCopyDeadline: 8", "c.yaml:2: imageCopyDeadline: must be a duration with its unit, such as 300ms, 8s, 1m30s or 24h"),
        (TARGET + "imageCopyDeadline: -8s", "c.yaml:2: imageCopyDeadline: must be a duration with its unit, such as 300ms, 8s, 1m30s or 24h"),
        (TARGET + "imageCopyDeadline: 0s", "c.yaml:2: imageCopyDeadline: must be greater than 0"),
        (TARGET + "listenAddress: 8443", "c.yaml:2: listenAddress: must be text; put quotes around it"),
        (TARGET + "listenAddress: '8443'", "c.yaml:2: listenAddress: must be an address and port, 1 to 65535, such as :8443"),
        (TARGET + "platforms: linux/amd64", "c.yaml:2: platforms: must be a list"),
        (TARGET + "imageCopyPolicy: delyed", "c.yaml:2: imageCopyPolicy: must be 'delayed', 'immediate', 'force' or 'none', not 'delyed'; did you mean delayed?"),
        (TARGET + "platforms: Auto", "c.yaml:2: platforms: must be 'auto', not 'Auto'; did you mean auto?"),
        (TARGET + "platforms: [auto]", "c.yaml:2: platforms[0]: must be a platform such as linux/amd64 or linux/arm/v7"),
        (TARGET + "platforms: [linux]", "c.yaml:2: platforms[0]: must be a platform such as linux/amd64 or linux/arm/v7"),
        (TARGET + "tlsCertFile: a.crt", "c.yaml: tlsCertFile and tlsKeyFile must be set together"),
        (TARGET + "existence: {maxAge: 2h, maxStale: 1h}", "c.yaml:2: existence: maxStale must not be shorter than maxAge"),
        (TARGET + "copy:\n  images: 65", "c.yaml:3: copy.images: must be less than or equal to 64"),
        (TARGET + "copy: {images: 0}", "c.yaml:2: copy.images: must be greater than or equal to 1"),
        (TARGET + "copy: {images: 1.5}", "c.yaml:2: copy.images: must be a whole number"),
        (TARGET + "copy: {images: yes}", "c.yaml:2: copy.images: must be a whole number"),
        (TARGET + "copy: {maxImageBytes: 20 gigs}", "c.yaml:2: copy.maxImageBytes: must be a size such as 20GiB or 500MB, or a number of bytes"),
        (TARGET + "copy: {maxImageBytes: 1}", "c.yaml:2: copy.maxImageBytes: must be greater than or equal to 1048576"),
        (TARGET + "quotas: {pendingJobs: 0}", "c.yaml:2: quotas.pendingJobs: must be greater than or equal to 1"),
        (TARGET + "source: text", "c.yaml:2: source: must be a mapping (keys with values)"),
        (TARGET + "source: {filters: {jmespath: a}}", "c.yaml:2: source.filters: must be a list"),
        (TARGET + "source:\n  filters:\n  - jmespath: \"a == b\"\n  - jmespath: a = b", "c.yaml:5: source.filters[1].jmespath: the filter does not compile: Unknown token '=' at character 3, after 'a '; write == to compare"),
        (TARGET + "source: {filters: [a == b]}", "c.yaml:2: source.filters[0]: must be a mapping (keys with values)"),
        (TARGET + "source: {allowedHosts: ['https://ghcr.io']}", "c.yaml:2: source.allowedHosts[0]: 'https://ghcr.io' is not a valid registry host; use host, host:port or [IPv6 address]:port"),
        (TARGET + "source: {registries: [{}]}", "c.yaml:2: source.registries[0].type: is missing"),
        (TARGET + "source: {registries: [{type: aws}]}", "c.yaml:2: source.registries[0]: aws is missing; type aws needs this section"),
        (TARGET + "source: {registries: [{type: oci}]}", "c.yaml:2: source.registries[0]: host is missing; type oci needs it"),
        (TARGET + "source: {registries: [{type: oci, oci: {}, host: r.io}]}", "c.yaml:2: source.registries[0].oci: is not a section here; write host, username and the other keys next to type"),
        (TARGET + f"source: {{registries: [{{type: aws, aws: {{{AWS}}}, host: r.io}}]}}", "c.yaml:2: source.registries[0]: host: only for type oci; type aws authenticates with the cloud's own credentials"),
        ("target: {type: oci}", "c.yaml:1: target: oci is missing; type oci needs this section, with endpoint"),
        ("target: {}", "c.yaml:1: target: aws is missing; type aws needs this section, with accountId and region"),
        ("target: {type: ecr, aws: {}}", "c.yaml:1: target.type: must be 'aws', 'gcp' or 'oci', not 'ecr'"),
        ("target: {type: oci, oci: {endpoint: registry}}", "c.yaml:1: target.oci.endpoint: host 'registry' has neither a dot nor a port; write registry:443, for example"),
        ("target: {type: oci, oci: {endpoint: r.io, prefix: A}}", "c.yaml:1: target.oci: prefix 'A' is not a valid repository path: the repository must be in lower case"),
        ("target: {type: oci, oci: {endpoint: r.io, password: hunter2}}", "c.yaml:1: target.oci.password: a password must not be in the file; use passwordFile or passwordEnv"),
        ("target: {type: oci, oci: {endpoint: r.io, username: me}}", "c.yaml:1: target.oci: username also needs passwordFile or passwordEnv"),
        ("target: {type: oci, oci: {endpoint: r.io, passwordFile: f}}", "c.yaml:1: target.oci: passwordFile also needs username"),
        ("target: {type: oci, oci: {endpoint: r.io, username: me, passwordFile: f, passwordEnv: SWAPPER_CRED_A}}", "c.yaml:1: target.oci: passwordFile and passwordEnv are both set; keep one"),
        ("target: {type: oci, oci: {endpoint: r.io, username: me, passwordFile: ../f}}", "c.yaml:1: target.oci: passwordFile must not contain '..'"),
        (f"target: {{aws: {{{AWS}, accessPolicy: '{{'}}}}", "c.yaml:1: target.aws.accessPolicy: must be a policy in JSON; it is not in its line 1: Expecting property name enclosed in double quotes"),
        (f"target: {{aws: {{{AWS}, accessPolicy: '[]'}}}}", "c.yaml:1: target.aws.accessPolicy: must be a policy in JSON: an object in braces"),
        (f"target: {{aws: {{{AWS}, accessPolicy: {{a: b}}}}}}", "c.yaml:1: target.aws.accessPolicy: must be JSON as text; write it after a '|' and indent it"),
        (f"target: {{aws: {{{AWS}, accessPolicy: '{{}}', ecrOptions: {{accessPolicy: '{{}}'}}}}}}", "c.yaml:1: target.aws: accessPolicy is set here and under ecrOptions; keep one"),
        (f"target: {{aws: {{{AWS}, lifecyclePolicy: '{{}}', ecrOptions: {{lifecyclePolicy: '{{}}'}}}}}}", "c.yaml:1: target.aws: lifecyclePolicy is set here and under ecrOptions; keep one"),
        (f"target: {{aws: {{{AWS}, role: roleName}}}}", "c.yaml:1: target.aws.role: must be the ARN of a role: arn:aws:iam::123456789012:role/name"),
        (f"target: {{aws: {{{AWS}, ecrOptions: {{tags: [{{key: a, value: true}}]}}}}}}", "c.yaml:1: target.aws.ecrOptions.tags[0].value: must be text; put quotes around it"),
        (f"target: {{aws: {{{AWS}, ecrOptions: {{tags: [{{key: a, value: b}}, {{key: a, value: c}}]}}}}}}", "c.yaml:1: target.aws.ecrOptions: tags: the key 'a' is set twice"),
        ("target: {type: generic}", "c.yaml:1: target.type: must be oci, not 'generic': set endpoint, prefix, username and passwordFile below oci"),
        ("target: {aws: {accountId: '123', region: eu-central-1}}", "c.yaml:1: target.aws.accountId: must be the 12 digits of an AWS account, not '123'"),
        ("target: {aws: {accountId: 1234567890123, region: eu-central-1}}", "c.yaml:1: target.aws.accountId: must be the 12 digits of an AWS account, not '1234567890123'"),
        ("target: {aws: {accountId: true, region: eu-central-1}}", "c.yaml:1: target.aws.accountId: must be the 12 digits of an AWS account, in quotes"),
        ("target: {aws: {accountId: '123456789012', region: Frankfurt}}", "c.yaml:1: target.aws.region: must be the name of an AWS region, such as eu-central-1"),
        ("target: {type: gcp, gcp: {location: eu, projectId: X, repositoryId: main}}", "c.yaml:1: target.gcp.projectId: must be the ID of a Google Cloud project: a-z, 0-9 and -, after its domain and a colon if it has one"),
    ],
)  # fmt: skip
def test_an_error_is_reported_on_one_line_with_its_position(text: str, problem: str) -> None:
    assert problems(text) == [problem]


CHOICES = [
    (field.alias or name, get_args(field.annotation))
    for name, field in Config.model_fields.items()
    if get_origin(field.annotation) is Literal
]


@pytest.mark.parametrize(("key", "values"), CHOICES, ids=[key for key, _ in CHOICES])
def test_a_misspelled_value_is_reported_with_a_valid_suggestion(key: str, values: tuple[str, ...]) -> None:
    for value in values:
        (problem,) = problems(f"{TARGET}{key}: {value}x")
        assert problem.partition("; did you mean ")[2].removesuffix("?") in values, problem
    assert "did you mean" not in problems(f"{TARGET}{key}: or")[0]


@pytest.mark.parametrize(
    "name", ["HUB_PASSWORD", "AWS_SECRET_ACCESS_KEY", "SWAPPER_SECRET_KEY", "SWAPPER_CRED_", "swapper_cred_a"]
)
def test_a_password_variable_must_start_with_the_reserved_prefix(name: str) -> None:
    text = f"target: {{type: oci, oci: {{endpoint: r.io, username: me, passwordEnv: {name}}}}}"
    assert "must name an environment variable that starts with SWAPPER_CRED_" in problems(text)[0]


def test_all_errors_are_reported_together_in_file_order() -> None:
    text = (
        "dryRun: maybe\nlogLevl: info\nsource:\n  filters:\n    - jmespath: foo(\n    - jmespth: a\n"
        "target:\n  type: aws\n  aws:\n    acountId: 1\n    region: 5\n"
    )
    reported = problems(text)
    assert [problem.split(": ")[0] for problem in reported] == [
        "c.yaml:1", "c.yaml:2", "c.yaml:5", "c.yaml:6", "c.yaml:6", "c.yaml:9", "c.yaml:10", "c.yaml:11",
    ]  # fmt: skip
    assert reported[5] == "c.yaml:9: target.aws.accountId: is missing"
    assert reported[6] == "c.yaml:10: target.aws.acountId: is an unknown key; did you mean accountId?"


def test_cross_field_errors_are_reported_with_field_errors() -> None:
    text = (
        "dryRun: maybe\ntlsCertFile: a.crt\nexistence: {maxAge: 2h, maxStale: 1h, max: 1}\n"
        "source:\n  registries:\n  - {type: oci, hosts: r.io, username: me}\n  - {type: aws, host: r.io}\n"
        "target:\n  type: oci\n  oci: {endpoint: registry, prefix: A, passwordFile: ../x}\n"
        "  aws: {accountId: 1}\ncopy: {images: 0}\n"
    )
    reported = problems(text)
    expected = [
        "c.yaml: tlsCertFile and tlsKeyFile must be set together", "c.yaml:1: dryRun: must be true or false",
        "c.yaml:3: existence: maxStale must not be shorter", "c.yaml:3: existence.max: is an unknown key",
        "c.yaml:6: source.registries[0].hosts: is an unknown key", "c.yaml:6: source.registries[0]: username also needs",
        "c.yaml:6: source.registries[0]: host is missing", "c.yaml:7: source.registries[1]: aws is missing",
        "c.yaml:7: source.registries[1]: host: only for type oci", "c.yaml:10: target.oci: passwordFile also needs username",
        "c.yaml:10: target.oci: passwordFile must not contain '..'", "c.yaml:10: target.oci: prefix 'A' is not",
        "c.yaml:10: target.oci.endpoint: host 'registry' has neither", "c.yaml:12: copy.images: must be greater",
    ]  # fmt: skip
    assert len(reported) == len(expected)
    assert all(any(line.startswith(start) for line in reported) for start in expected), reported


VALUES = (
    "replicaCount: 2\nimage: {tag: '1.2'}\nconfig:\n  dryRun: false\n  target: {aws: {accountId: '123456789012'}}\n"
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (VALUES, "c.yaml:3: this is a values file of a Helm chart: use the content of `config:` as the configuration file"),
        ("k8s-image-swapper:\n  config:\n    source: {}\n", "c.yaml:2: this is a values file of a Helm chart: use the content of `k8s-image-swapper.config:`"),
        ("Config: {TARGET: {}}", "c.yaml:1: this is a values file of a Helm chart: use the content of `Config:`"),
        ("replicaCount: 2\nawsSecretName: a", "c.yaml:1: this is a values file of a Helm chart, without a configuration"),
        ("config: {}", "c.yaml:1: this is a values file of a Helm chart, without a configuration"),
        ("apiVersion: v1\nkind: ConfigMap\ndata:\n  .k8s-image-swapper.yaml: |\n    dryRun: false\n", 'c.yaml:4: this is a ConfigMap of Kubernetes: use the text below data[".k8s-image-swapper.yaml"]'),
        ("apiVersion: v1\nkind: Pod\nspec: {}", "c.yaml:2: this is a Pod of Kubernetes, not a configuration file"),
    ],
)  # fmt: skip
def test_helm_values_files_and_kubernetes_objects_are_recognized(text: str, problem: str) -> None:
    [reported] = problems(text)
    assert reported.startswith(problem)


def test_referenced_files_are_checked_only_if_check_files_is_set(tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("no certificate")
    oci = f"{{endpoint: r.io, caFile: {tmp_path}}}"
    text = (
        f"trustedCA: {tmp_path}/missing.pem\ndryRun: maybe\ntlsCertFile: {junk}\ntlsKeyFile: /no/key\n"
        f"source: {{registries: [{{type: oci, host: r.io, caFile: {junk}}}]}}\ntarget: {{type: oci, oci: {oci}}}\n"
    )
    with pytest.raises(ConfigError) as caught:
        config.parse(text, name="c.yaml", check_files=True)
    assert [problem.partition(";")[0] for problem in caught.value.problems] == [
        f"c.yaml:1: trustedCA: {tmp_path}/missing.pem can't be read: No such file or directory",
        "c.yaml:2: dryRun: must be true or false, without quotes",
        "c.yaml:4: tlsKeyFile: /no/key can't be read: No such file or directory",
        f"c.yaml:5: source.registries[0].caFile: {junk} contains no readable certificates in PEM format",
        f"c.yaml:6: target.oci.caFile: {tmp_path} can't be read: Is a directory",
    ]
    assert problems(text) == ["c.yaml:2: dryRun: must be true or false, without quotes"]


def test_errors_do_not_contain_values_that_may_be_secret() -> None:
    text = "target: {type: oci, oci: {endpoint: r.io, username: [hunter2], password: hunter2, passwordEnv: hunter2}}"
    assert "hunter2" not in "".join(problems(text))


def test_excessive_alias_expansion_and_nesting_are_rejected() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join(['*' + before] * 10)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert "it has too many values" in problems(bomb)[0]
    assert "nested more than 100 levels deep" in problems("a: " + "[" * 5000 + "]" * 5000)[0]


def test_merged_keys_are_validated_at_the_line_of_their_anchor() -> None:
    text = (
        "target:\n  type: oci\n  oci: &o {endpoint: r.io, prefix: a}\nsource: {registries: [{type: oci, host: r.io}]}\n"
    )
    assert config.parse(text).target.name.prefix == "a"
    merged = "copy: &c {images: 2, blobs: 3}\n" + TARGET
    assert config.parse(merged).copy_.blobs == 3
    registries = "[&r {type: oci, host: r.io, insecure: true}, {<<: *r, host: s.io}]"
    sources = config.parse(f"{TARGET}source: {{registries: {registries}}}\n").source.registries
    assert [(entry.host, entry.insecure) for entry in sources] == [("r.io", True), ("s.io", True)]
    reported = problems("copy: &c {images: 2}\nquotas: {<<: *c, pendingJobs: 1}\n" + TARGET)
    assert reported == ["c.yaml:1: quotas.images: is an unknown key here; there is copy.images"]


@settings(deadline=None)
@given(st.text(string.printable, max_size=60) | st.text(max_size=30))
def test_any_text_loads_or_raises_a_configuration_error(text: str) -> None:
    for candidate in (text, f"{TARGET}{text}", f"target:\n  aws:\n    accountId: {text}\n    region: eu-central-1"):
        try:
            config.parse(candidate)
        except ConfigError as error:
            assert error.problems


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("8s", 8), ("1m30s", 90), ("1.5h", 5400), ("300ms", 0.3), ("24h0m0s", 86400), (".5s", 0.5), ("1h1m1s1ms", 3661.001),
     ("100us", 0.0001), ("100µs", 0.0001), ("5ns", 5e-9), ("+2m", 120), ("2.s", 2)],
)  # fmt: skip
def test_durations_are_parsed_like_go_durations(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "8", "s", "8 s", "8S", "1d", "1h 30m", "1..5h", "１s", "8s\n", 8, 8.0, True, None]
)
def test_an_invalid_duration_is_rejected(text: object) -> None:
    with pytest.raises(ValueError, match="must be a duration with its unit"):
        duration(text)


@settings(deadline=None)
@given(st.integers(1, 366 * 86_400_000))
def test_durations_round_trip(milliseconds: int) -> None:
    assert duration(format_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)


@pytest.mark.parametrize(
    ("text", "count"),
    [("20GiB", 20 << 30), ("500MB", 500_000_000), ("1.5Gi", 3 << 29), ("1 TiB", 1 << 40), ("7", 7), (9, 9)],
)
def test_sizes_are_parsed_with_binary_and_decimal_units(text: object, count: int) -> None:
    assert size(text) == count
    assert size(format_size(count)) == count


@pytest.mark.parametrize("text", ["", "GiB", "20 gigs", "-1", "1e9", True, None, 1.5])
def test_an_invalid_size_is_rejected(text: object) -> None:
    with pytest.raises(ValueError, match="must be a size"):
        size(text)


@pytest.mark.parametrize("text", examples.ALL)
def test_a_misspelled_key_in_an_example_is_reported(text: str) -> None:
    assert any(
        "targett: is an unknown key; did you mean target?" in line
        for line in problems(text.replace("target:", "targett:"))
    )
