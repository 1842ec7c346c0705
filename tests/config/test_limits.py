"""Limits of a config: the numbers of a dtype, and what the installed torch was built for."""

from __future__ import annotations

import pytest

import configs
from clampsweep.config import limits
from configs import BASE, changed, parse, refusal, sweep

folder = configs.folder


def with_dtype(dtype, values, operation="set"):
    """The config of a model of a dtype, with a sweep of these values."""
    model = changed(BASE, f"models: {{tiny: {{dtype: {dtype}}}}}")
    return changed(model, sweep(f"operation: {operation}, values: [{values}]"))


@pytest.mark.parametrize("operation", ["set", "add", "scale"])
@pytest.mark.parametrize(
    ("dtype", "value", "most"),
    [
        ("float32", "1e308", "3.40282e+38"),
        ("float32", "1e39", "3.40282e+38"),
        ("float32", "-1e39", "3.40282e+38"),
        ("float16", "7e4", "65504"),
        ("float16", "-65505", "65504"),
        ("bfloat16", "3.4e38", "3.38953e+38"),
    ],
)
def test_a_value_beyond_the_models_dtype_is_refused_with_the_range(dtype, value, most, operation):
    message = refusal(config=with_dtype(dtype, f"0, {value}", operation))
    assert message.startswith("config.yaml: sweeps.main.values[1]: got ")
    assert f"tiny has dtype {dtype}, of numbers from -{most} to {most}" in message
    assert message.endswith("or give the model a wider dtype, such as float64")


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("float64", 1e308), ("float32", -3.4e38), ("float16", 65504.0), ("bfloat16", 3.38e38)],
)
def test_a_value_within_the_models_dtype_is_taken(dtype, value):
    request = parse(config=with_dtype(dtype, value)).requests()["main"]
    assert request.values == (value,)


def test_the_largest_numbers_are_those_of_torchs_own_dtypes():
    torch = pytest.importorskip("torch")
    assert dict(limits.LARGEST) == {name: torch.finfo(getattr(torch, name)).max for name in
                                    ("float16", "bfloat16", "float32", "float64")}  # fmt: skip


CUDA = "compute: {device: cuda}"


@pytest.fixture
def torch_of(tmp_path, monkeypatch):
    """Function that puts a torch in place of the installed one, by what its version.py says."""

    def put(version_py):
        package = tmp_path / "packages" / "torch"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("raise AssertionError('torch was imported')")
        (package / "version.py").write_text(version_py)
        found = limits.importlib.util.spec_from_file_location("torch", package / "__init__.py")
        monkeypatch.setattr(limits.importlib.util, "find_spec", lambda name: found)

    return put


def test_cuda_on_a_torch_that_was_built_for_the_cpu_is_refused_when_the_config_is_read(torch_of):
    torch_of("cuda: Optional[str] = None\ngit_version = 'x'\nhip: Optional[str] = None\n")
    message = refusal(config=BASE, mine=CUDA)
    assert message.startswith("mine.yaml: compute.device: got 'cuda', but the installed torch ")
    assert "built for the CPU only; write auto or cpu, or install" in message


@pytest.mark.parametrize(
    "version_py",
    [
        "cuda: Optional[str] = '12.8'\nhip: Optional[str] = None\n",
        "cuda: Optional[str] = None\nhip: Optional[str] = '6.4'\n",  # AMD's GPUs are cuda to torch
        "__version__ = '9.9'\n",
    ],
    ids=["CUDA", "ROCm", "unknown"],
)
def test_cuda_is_left_to_the_machine_that_runs_the_job_where_torch_may_have_it(
    torch_of, version_py
):
    torch_of(version_py)
    assert parse(config=BASE, mine=CUDA).compute.device == "cuda"


def test_the_installed_torch_is_told_by_its_file_as_by_itself():
    torch = pytest.importorskip("torch")
    assert (limits.no_cuda() is not None) == (not torch.version.cuda and not torch.version.hip)
