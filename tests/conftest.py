"""Fixtures of the tests; the shapes in annotations are checked while they run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

from clampsweep.figures.environment import plain_matplotlib

plain_matplotlib()

# No test depends on the machine's speed.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

SOURCE = Path(__file__).parents[1] / "src"
SHAPED = [
    ".".join(path.relative_to(SOURCE).with_suffix("").parts)
    for path in sorted(SOURCE.rglob("*.py"))
    if "from jaxtyping import" in path.read_text(encoding="utf-8")
]
install_import_hook(SHAPED, "shapes.checked")

from clampsweep.models.spec import ModelSpec  # noqa: E402
from tiny import ARCHITECTURES, make_tiny  # noqa: E402

if TYPE_CHECKING:
    from clampsweep.models.model import Model

TinyFolder = Callable[..., tuple[Path, ModelSpec]]


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> TinyFolder:
    """Function from an architecture, and what `make_tiny` takes, to a fetched folder and its spec.

    The folders are shared: a test that damages one works on a copy.
    """
    made: dict[str, tuple[Path, ModelSpec]] = {}

    def make(architecture: str, seed: int = 0, **overrides: Any) -> tuple[Path, ModelSpec]:
        from clampsweep.models.fetching import fetch

        name = repr((architecture, seed, sorted(overrides.items())))
        if name not in made:
            folder = tmp_path_factory.mktemp(architecture)
            spec = make_tiny(folder / "source", architecture, seed, **overrides)
            fetch(spec, folder / "model")
            made[name] = (folder / "model", spec)
        return made[name]

    return make


@pytest.fixture(scope="session")
def load_tiny(tiny_folder: TinyFolder) -> Callable[..., Model]:
    """Function from an architecture, and what `make_tiny` takes, to a loaded model, shared."""
    loaded: dict[str, Model] = {}

    def get(architecture: str, seed: int = 0, **overrides: Any) -> Model:
        from clampsweep.models.loading import load

        name = repr((architecture, seed, sorted(overrides.items())))
        if name not in loaded:
            folder, spec = tiny_folder(architecture, seed, **overrides)
            loaded[name] = load(folder, spec, threads=1, device="cpu")
        return loaded[name]

    return get


@pytest.fixture(scope="session", params=ARCHITECTURES)
def model(request: pytest.FixtureRequest, load_tiny: Callable[..., Model]) -> Model:
    """Each architecture's tiny model in turn, in float64."""
    return load_tiny(request.param)


@pytest.fixture(scope="session")
def gpt2(load_tiny: Callable[..., Model]) -> Model:
    """The tiny GPT-2."""
    return load_tiny("gpt2")


@pytest.fixture(scope="session")
def llama(load_tiny: Callable[..., Model]) -> Model:
    """The tiny Llama, whose attention groups its queries."""
    return load_tiny("llama")


@pytest.fixture(scope="session")
def hugging_face() -> Callable[[Model], Any]:
    """Function from a loaded tiny model to the same weights in Hugging Face's own class, shared."""
    loaded: dict[str, Any] = {}

    def get(model: Model) -> Any:
        from transformers import AutoModelForCausalLM

        source = model.manifest["source"]
        if source not in loaded:
            loaded[source] = AutoModelForCausalLM.from_pretrained(source, dtype=model.dtype).eval()
        return loaded[source]

    return get
