"""Training that is stopped and goes on, against the same training undisturbed and a plain loop."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Muon, RAdam
from torch.optim.lr_scheduler import LambdaLR

from clampsweep import provenance
from clampsweep.errors import UserError
from clampsweep.models import training
from clampsweep.models.training import train

N_STEPS = 6
WORDS, WIDTH = 11, 8


class Toy(nn.Module):
    """Next-token loss with what a state must hold: weights, a buffer, and draws of torch's own."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            self.embed = nn.Embedding(WORDS, WIDTH)
            self.norm = nn.BatchNorm1d(WIDTH)  # its running mean is a buffer
            self.dropout = nn.Dropout(0.3)
            self.mix = nn.Linear(WIDTH, WIDTH, bias=False)
            self.head = nn.Linear(WIDTH, WORDS)

    def forward(self, ids: Tensor) -> Tensor:
        hidden = self.mix(self.dropout(self.norm(self.embed(ids))))
        return self.head(hidden.relu())

    def optimizers(self) -> list[torch.optim.Optimizer]:
        """Two, as a model of attention has; one with momentum in two groups."""
        rest = [{"params": self.embed.parameters(), "lr": 0.1},
                {"params": [*self.norm.parameters(), *self.head.parameters()]}]  # fmt: skip
        return [Muon(self.mix.parameters(), lr=0.02), AdamW(rest, lr=0.01)]


def taking(model: nn.Module, at: Callable[[int], object] = lambda number: None) -> training.Step:
    """Steps on random pairs; `at` is called in the midst of each."""

    def step(number: int, generator: torch.Generator) -> Mapping[str, Tensor]:
        at(number)
        ids = torch.randint(WORDS, (2, 16), generator=generator)
        logits = model(ids[0])
        right = (logits.argmax(-1) == ids[1]).float().mean()
        return {"loss": nn.functional.cross_entropy(logits, ids[1]), "right": right}

    return step


def warmup(number: int) -> float:
    return min(1.0, (number + 1) / 4)


def run(
    scratch: Path, at: Callable[[int], object] = lambda number: None, **changes: Any
) -> tuple[dict[str, Tensor], training.Measured]:
    """Weights and buffers of a model that is trained, a state saved after each step."""
    model = Toy()
    settings = {"seed": 5, "schedule": warmup, "every": 0.0, **changes}
    measured = train(
        model, model.optimizers(), taking(model, at), N_STEPS, scratch=scratch, **settings
    )
    return model.state_dict(), measured


def is_same(one: Mapping[str, Tensor], two: Mapping[str, Tensor]) -> bool:
    """Whether all tensors are equal, bit for bit."""
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[dict[str, Tensor], training.Measured]:
    """What comes of training that nobody stops."""
    return run(tmp_path_factory.mktemp("undisturbed"))


class Stopped(Exception):  # noqa: N818 (it is no error)
    """Stands for what ends a job."""


def stop_at(wanted: int) -> Callable[[int], None]:
    def stop(number: int) -> None:
        if number == wanted:
            raise Stopped

    return stop


def kill_at(wanted: int) -> Callable[[int], None]:
    def kill(number: int) -> None:
        if number == wanted:
            os.kill(os.getpid(), signal.SIGKILL)

    return kill


def states(scratch: Path) -> list[Path]:
    return sorted(scratch.iterdir())


def test_weights_are_those_of_a_plain_loop_with_torchs_own_schedule(tmp_path: Path) -> None:
    """Of fixed batches, so that the loop need not know what is drawn."""
    torch.manual_seed(3)
    batches, targets = torch.randn(N_STEPS, 16, WIDTH), torch.randint(WORDS, (N_STEPS, 16))
    ours, plain = (nn.Linear(WIDTH, WORDS) for _ in range(2))
    plain.load_state_dict(ours.state_dict())

    def loss(model: nn.Module, number: int) -> Tensor:
        return nn.functional.cross_entropy(model(batches[number]), targets[number])

    optimizer = SGD(plain.parameters(), lr=0.5, momentum=0.9, weight_decay=0.01)
    rates, losses = LambdaLR(optimizer, warmup), []
    for number in range(N_STEPS):
        optimizer.zero_grad()
        (found := loss(plain, number)).backward()
        optimizer.step()
        rates.step()
        losses.append({"loss": found.item()})
    own = [SGD(ours.parameters(), lr=0.5, momentum=0.9, weight_decay=0.01)]
    measured = train(
        ours,
        own,
        lambda number, generator: {"loss": loss(ours, number)},
        N_STEPS,
        seed=0,
        scratch=tmp_path,
        schedule=warmup,
    )
    assert is_same(ours.state_dict(), plain.state_dict())
    assert measured == losses
    assert not is_same(ours.state_dict(), nn.Linear(WIDTH, WORDS).state_dict())


@pytest.mark.parametrize("at", range(N_STEPS))
def test_stopped_at_any_step_it_goes_on_to_the_same_bits(
    tmp_path: Path, undisturbed: tuple[dict[str, Tensor], training.Measured], at: int
) -> None:
    with pytest.raises(Stopped):
        run(tmp_path, stop_at(at))
    taken: list[int] = []
    weights, measured = run(tmp_path, taken.append)
    assert taken == list(range(at, N_STEPS)), "what was saved is not done again"
    assert is_same(weights, undisturbed[0])
    assert measured == undisturbed[1]


def test_killed_at_once_and_again_it_goes_on_to_the_same_bits(
    tmp_path: Path, undisturbed: tuple[dict[str, Tensor], training.Measured]
) -> None:
    for at in (2, 2, 4):
        if (child := os.fork()) == 0:
            try:
                run(tmp_path, kill_at(at))
            finally:
                os._exit(1)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    taken: list[int] = []
    weights, measured = run(tmp_path, taken.append)
    assert taken == [4, 5]
    assert is_same(weights, undisturbed[0])
    assert measured == undisturbed[1]


def test_a_kill_while_a_state_is_written_leaves_the_earlier_one(
    tmp_path: Path,
    undisturbed: tuple[dict[str, Tensor], training.Measured],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half of it is written, and never moved into place."""
    with pytest.raises(Stopped):
        run(tmp_path, stop_at(3))
    (tmp_path / f".{states(tmp_path)[0].name}.17.part").write_bytes(b"half")
    taken: list[int] = []
    assert is_same(run(tmp_path, taken.append)[0], undisturbed[0])
    assert taken == [3, 4, 5]


class Tied(nn.Module):
    """Embedding and unembedding of one matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS, WIDTH)
        self.head = nn.Linear(WIDTH, WORDS)
        self.head.weight = self.embed.weight

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.embed(ids))


def test_tied_weights_and_optimizers_that_keep_nothing_go_on_too(tmp_path: Path) -> None:
    def tied(scratch: Path, at: Callable[[int], object]) -> dict[str, Tensor]:
        torch.manual_seed(2)
        model = Tied()
        optimizers = [SGD([model.head.bias], lr=0.1), RAdam([model.embed.weight], lr=0.1)]
        train(model, optimizers, taking(model, at), N_STEPS, 0, scratch, every=0.0)
        assert model.head.weight is model.embed.weight
        return model.state_dict()

    wanted = tied(tmp_path / "undisturbed", lambda number: None)
    with pytest.raises(Stopped):
        tied(tmp_path / "stopped", stop_at(3))
    assert is_same(tied(tmp_path / "stopped", lambda number: None), wanted)


def test_a_finished_training_is_taken_over_without_a_step(
    tmp_path: Path, undisturbed: tuple[dict[str, Tensor], training.Measured]
) -> None:
    run(tmp_path)
    assert len(states(tmp_path)) == 1, "earlier states are gone"
    weights, measured = run(tmp_path, stop_at(0))
    assert is_same(weights, undisturbed[0])
    assert measured == undisturbed[1]


@pytest.mark.parametrize("damage", ["truncated", "empty", "a flipped bit", "other bytes"])
def test_a_damaged_state_is_never_taken_over(
    tmp_path: Path,
    undisturbed: tuple[dict[str, Tensor], training.Measured],
    caplog: pytest.LogCaptureFixture,
    damage: str,
) -> None:
    with pytest.raises(Stopped):
        run(tmp_path, stop_at(3))
    (path,) = states(tmp_path)
    data = path.read_bytes()
    flipped = bytearray(data)
    flipped[-200] ^= 1  # within a tensor: safetensors does not see it
    damaged = {"truncated": data[:-9], "empty": b"", "a flipped bit": bytes(flipped)}
    path.write_bytes(damaged.get(damage, b"x" * 9))
    taken: list[int] = []
    with caplog.at_level(logging.WARNING):
        weights, _ = run(tmp_path, taken.append)
    assert taken == list(range(N_STEPS)), "begun anew"
    assert is_same(weights, undisturbed[0])
    assert f"{path}: damaged" in caplog.text


def test_a_state_of_other_libraries_is_not_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another torch may give other bits."""
    with pytest.raises(Stopped):
        run(tmp_path, stop_at(3))
    monkeypatch.setattr(provenance, "_versions", lambda: {"torch": "0.1"})
    taken: list[int] = []
    run(tmp_path, taken.append)
    assert taken == list(range(N_STEPS))


def test_a_seed_decides_what_is_drawn_and_nothing_before_it_does(
    tmp_path: Path, undisturbed: tuple[dict[str, Tensor], training.Measured]
) -> None:
    torch.manual_seed(123)
    before = torch.random.get_rng_state()
    again, other = run(tmp_path / "again")[0], run(tmp_path / "other", seed=6)[0]
    assert torch.equal(torch.random.get_rng_state(), before), "torch's own draws go on as they were"
    assert is_same(again, undisturbed[0])
    assert not is_same(other, undisturbed[0])


def test_steps_draw_apart_and_dropout_is_not_drawn_like_the_batch(tmp_path: Path) -> None:
    drawn: list[float] = []
    weight = nn.Parameter(torch.zeros(1))

    def step(number: int, generator: torch.Generator) -> Mapping[str, Tensor]:
        drawn.extend([float(torch.rand(1, generator=generator)), float(torch.rand(1))])
        return {"loss": weight.sum()}

    model = nn.ParameterList([weight])
    train(model, [SGD([weight], lr=1.0)], step, N_STEPS, seed=0, scratch=tmp_path)
    assert len(set(drawn)) == 2 * N_STEPS


def test_states_are_saved_no_oftener_than_asked(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        run(tmp_path, stop_at(N_STEPS - 1), every=3600.0)
    assert not states(tmp_path)
    run(tmp_path, every=3600.0)
    assert len(states(tmp_path)) == 1, "the last one in any case"


def test_a_loss_that_is_no_number_ends_the_job_in_one_line(tmp_path: Path) -> None:
    weight = nn.Parameter(torch.ones(1))

    def step(number: int, generator: torch.Generator) -> Mapping[str, Tensor]:
        return {"loss": weight.sum() / (1.0 if number < 2 else 0.0)}

    model = nn.ParameterList([weight])
    with pytest.raises(UserError, match=r"training step 2 is not finite; lower the learning rate"):
        train(model, [SGD([weight], lr=0.1)], step, 4, seed=0, scratch=tmp_path, every=0.0)
    (path,) = states(tmp_path)
    assert path.name.startswith("000000002-"), "the steps before it are kept"
