"""The training loop on a network of one number."""

import json
from pathlib import Path

import pytest
import torch

from graphflow.zoo.fitting import Crew, averaged_weights, fit, learning_rate
from graphflow.zoo.recipes import TrainSettings

ALONE = Crew(rank=0, size=1)


def settings(seconds: float) -> TrainSettings:
    return TrainSettings(minutes=seconds / 60, batch=1, learning_rate=0.1, ema_decay=0.9, weight_decay=0.0)


def test_the_rate_rises_then_falls_to_almost_nothing() -> None:
    rates = [learning_rate(settings(1), progress) for progress in (0.0, 0.01, 0.02, 0.5, 1.0)]
    assert rates[0] < rates[1] < rates[2] == pytest.approx(0.1)
    assert rates[2] > rates[3] > rates[4] == pytest.approx(0.001)


def test_a_run_learns_logs_and_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphflow.zoo.fitting.MEET_EVERY", 0.05)
    network = torch.nn.Linear(1, 1)
    fit(network, lambda progress: (network(torch.ones(1)) - 3.0).square().sum(), settings(0.5), ALONE, tmp_path)
    assert network(torch.ones(1)).item() == pytest.approx(3.0, abs=0.1)
    averaged = averaged_weights(tmp_path)
    assert float(averaged["weight"] + averaged["bias"]) == pytest.approx(3.0, abs=0.2)
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert entries
    again = torch.nn.Linear(1, 1)
    fit(again, lambda progress: again(torch.ones(1)).square().sum(), settings(0.5), ALONE, tmp_path)
    assert torch.equal(again.weight, network.weight)  # the time was used up already
