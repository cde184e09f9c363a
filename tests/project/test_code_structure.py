"""The structure of the code: allowed imports, complete migrations, and settings without findings of Django's checks."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases import ROOT
from tests.support.system import run_manage

LAYERS: list[set[str]] = [
    {"mirrors.vocabulary", "mirrors.images"},
    {"mirrors.oci.common"},
    {"mirrors.oci.http"},
    {"mirrors.oci.distribution"},
    {"mirrors.oci.blobs"},
    {"mirrors.oci.transfer"},
    {"mirrors.oci.referrers"},
    {"mirrors.oci"},
    {"mirrors.kubernetes.objects"},
    {"mirrors.kubernetes.api_server"},
    {"mirrors.kubernetes"},
    {"mirrors.filters"},
    {"swapper_project.config.text"},
    {"swapper_project.config.sections"},
    {"swapper_project.config"},
    {"swapper_project.process.monitoring", "swapper_project.process.private_files"},
    {"swapper_project.process"},
    {"swapper_project.process.commands"},
    {"swapper_project.serving", "mirrors.registries"},
    {"mirrors.models.base"},
    {"mirrors.models.configuration"},
    {"mirrors.models.images"},
    {"mirrors.models.jobs"},
    {"mirrors.models.clusters"},
    {"mirrors.models"},
    {"mirrors.accounts"},
    {"mirrors.selectors.queries"},
    {"mirrors.selectors.configuration", "mirrors.selectors.jobs"},
    {"mirrors.selectors.images"},
    {"mirrors.selectors.clusters"},
    {"mirrors.selectors.overview"},
    {"mirrors.selectors"},
    {"mirrors.services.jobs"},
    {"mirrors.services.clusters", "mirrors.services.configuration", "mirrors.services.images"},
    {"mirrors.services"},
    {"mirrors.jobs.timing"},
    {"mirrors.jobs.limits"},
    {"webhook.decision", "mirrors.jobs.queue"},
    {"webhook.database", "mirrors.jobs.context"},
    {"mirrors.jobs.copy"},
    {"mirrors.jobs.upkeep"},
    {"webhook.knowledge", "mirrors.jobs.process"},
    {"mirrors.readiness"},
    {"webhook.review", "mirrors.api", "mirrors.installation"},
    {"webhook.runtime"},
    {"webhook.http", "webhook.explain"},
    {"mirrors.admin.tools", "mirrors.demo", "mirrors.watcher"},
    {"mirrors.backfill"},
    {
        "mirrors.admin.access",
        "mirrors.admin.clusters",
        "mirrors.admin.configuration",
        "mirrors.admin.images",
        "mirrors.admin.overview",
    },
    {"mirrors.admin"},
    {"mirrors.management", "webhook.management"},
]
"""The layers of the code. A package may import packages of earlier lines, but not another package of its own line."""

ROOF = {
    "swapper_project.error_handlers",
    "swapper_project.gunicorn_conf",
    "swapper_project.middleware",
    "swapper_project.settings",
    "swapper_project.urls",
    "swapper_project.web_settings",
    "swapper_project.wsgi",
}
"""Modules that Django and gunicorn load by name. No module of the project imports them."""

ONE_FILE_A_RESOURCE = {
    "mirrors/api/filtersets",
    "mirrors/api/serializers",
    "mirrors/api/views",
    "mirrors/management/commands",
    "mirrors/migrations",
}
"""Directories that are flat on purpose, because a resource, a command or a migration is found by its name."""

MOST_FILES = 12
"""Modules in a directory besides ``__init__``. A larger directory mixes several topics, or has no clear start."""

OUTSIDE = {"mirrors.apps", "webhook.apps", "mirrors.migrations", "mirrors.accounts.migrations"}
"""Modules that Django requires. Their imports follow from their purpose."""


def part_of(module: str) -> str | None:
    if module.startswith("mirrors.templatetags"):
        # The admin's tags, in the only directory in which Django looks for them.
        return "mirrors.admin.tools"
    parts = [*(part for layer in LAYERS for part in layer), *ROOF, *OUTSIDE]
    around = [part for part in parts if module == part or module.startswith(f"{part}.")]
    return max(around, key=len, default=None)


def rank(part: str) -> int:
    return next((index for index, layer in enumerate(LAYERS) if part in layer), len(LAYERS))


def modules() -> Iterator[tuple[str, Path]]:
    for package in ("mirrors", "webhook", "swapper_project"):
        for path in (ROOT / package).rglob("*.py"):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_each_module_belongs_to_a_layer() -> None:
    packages = {"mirrors", "webhook", "swapper_project", "mirrors.jobs"}
    assert [name for name, _ in modules() if name not in packages and part_of(name) is None] == []


def test_directories_do_not_exceed_the_module_limit() -> None:
    files = Counter(
        str(path.parent.relative_to(ROOT))
        for package in ("mirrors", "webhook", "swapper_project")
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py"
    )
    full = {folder for folder, count in files.items() if count > MOST_FILES}
    assert full == {folder for folder in ONE_FILE_A_RESOURCE if files[folder] > MOST_FILES}


def test_packages_have_a_docstring() -> None:
    silent = [
        name
        for name, path in modules()
        if path.name == "__init__.py" and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert [name for name in silent if not name.endswith(("migrations", "commands"))] == []


def test_imports_follow_the_layers() -> None:
    wrong = []
    for name, path in modules():
        part = part_of(name)
        for imported in set(imports(path)):
            other = part_of(imported)
            if part is None or other is None or part == other or part in OUTSIDE:
                continue
            if part in ROOF and other in ROOF:
                continue
            if other in ROOF or rank(other) >= rank(part):
                wrong.append(f"{name} imports {imported}")
    assert sorted(wrong) == []


def patched(source: str) -> list[str]:
    """Return objects imported from Django or unfold of which an attribute is assigned, or set by name."""
    tree = ast.parse(source)
    foreign = {
        (alias.asname or alias.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if (getattr(node, "module", None) or alias.name).partition(".")[0] in ("django", "unfold")
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            found.append(node.value)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("setattr", "delattr"):
            found.append(node.args[0])
    # Exclude results of calls, because these are objects that their package allows callers to change.
    named = [ast.unparse(node) for node in found if not any(isinstance(part, ast.Call) for part in ast.walk(node))]
    return [name for name in named if name.partition(".")[0] in foreign]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("from unfold.templatetags import unfold_list\nunfold_list.result_headers = print", ["unfold_list"]),
        ("import django.db\nsetattr(django.db, 'connection', None)", ["django.db"]),
        ("from mirrors import services\nservices.x = 1", []),
        ("import os\nclass A:\n    def f(self): self.os = os.environ", []),
    ],
)
def test_the_check_detects_monkeypatches(source: str, names: list[str]) -> None:
    assert patched(source) == names


def test_django_and_unfold_are_not_monkeypatched() -> None:
    assert [(name, found) for name, path in modules() for found in patched(path.read_text())] == []


@pytest.mark.parametrize(
    ("files", "forbidden"),
    [
        (sorted((ROOT / "mirrors/oci").rglob("*.py")), "django"),
        ([ROOT / "webhook/decision/decision.py", ROOT / "webhook/decision/patch.py"], "django"),
        ([ROOT / "webhook/decision/decision.py", ROOT / "webhook/decision/patch.py"], "mirrors.models"),
    ],
    ids=["engine", "decisions", "decisions-orm"],
)
def test_pure_modules_do_not_import_django_or_models(files: list[Path], forbidden: str) -> None:
    assert files
    assert [f for f in files for i in imports(f) if i == forbidden or i.startswith(f"{forbidden}.")] == []


@pytest.mark.django_db
def test_migrations_are_complete() -> None:
    assert "No changes detected" in run_manage("makemigrations", "--check", "--dry-run").stdout


def test_the_deployment_check_passes_with_https() -> None:
    environment = {
        "SWAPPER_EXTERNAL_URL": "https://mirrors.example.com",
        "SWAPPER_ROLE": "web",
        "SWAPPER_SECRET_KEY": "0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ-%",
    }
    result = run_manage("check", "--deploy", "--fail-level", "WARNING", environment=environment)

    assert "no issues" in result.stdout


def test_a_missing_secret_key_fails_the_deployment_check() -> None:
    result = run_manage("check", "--deploy", environment={"SWAPPER_SECRET_KEY": "", "SWAPPER_ROLE": "web"}, check=False)

    assert result.returncode != 0
    assert "SWAPPER_SECRET_KEY is not set" in result.stderr


def test_no_file_mentions_a_package_index() -> None:
    needles = [".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"))]
    tracked = [p for p in ROOT.rglob("*") if p.is_file() and not {".git", ".venv"} & set(p.relative_to(ROOT).parts)]
    texts = [p for p in tracked if p.suffix in {".txt", ".toml", ".md", ".cfg", ".yaml"} or p.name == "Makefile"]

    assert [p for p in texts for needle in needles if needle in p.read_text()] == []


def test_class_names_are_unique() -> None:
    files: dict[str, list[str]] = {}
    for module, path in modules():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                files.setdefault(node.name, []).append(module)

    # Django finds commands and migrations by these names.
    shared = {name: where for name, where in files.items() if len(where) > 1}
    assert shared.keys() == {"Command", "Migration"}


PACKAGES_WITH_EXPORTS = ("mirrors.selectors", "mirrors.services", "mirrors.filters", "mirrors.images", "mirrors.oci",
                         "mirrors.models", "swapper_project.config")  # fmt: skip


def exports(package: str) -> set[str]:
    tree = ast.parse((ROOT / package.replace(".", "/") / "__init__.py").read_text())
    assigned = (node for node in tree.body if isinstance(node, ast.Assign))
    return next(set(ast.literal_eval(node.value)) for node in assigned if ast.unparse(node.targets[0]) == "__all__")


def names_used(path: Path) -> Iterator[tuple[str, str]]:
    """Yield package and name of each name that a module imports, or reads as an attribute of an imported package."""
    tree = ast.parse(path.read_text())
    packages: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)
            packages |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in packages:
            yield packages[node.value.id], node.attr


def test_each_exported_name_is_imported_from_its_package() -> None:
    files = [
        path for name in ("mirrors", "webhook", "swapper_project", "tests") for path in (ROOT / name).rglob("*.py")
    ]
    used = {found for path in files for found in names_used(path)}
    assert [f"{package}.{name}" for package in PACKAGES_WITH_EXPORTS for name in sorted(exports(package))
            if (package, name) not in used] == []  # fmt: skip
