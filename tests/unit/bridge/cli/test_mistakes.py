"""What ended a process, told with every other mistake, or as it is where the configuration says nothing of it."""

from __future__ import annotations

import pytest

from bridge.cli import mistakes
from bridge.config import brokers, judging
from bridge.daemon.child import BrokerRefusesError
from bridge.errors import ConfigurationError, PostbellError


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("POSTBELL_STATE_DIR", str(tmp_path))
    monkeypatch.setattr(brokers, "problems", lambda _: [])
    file = tmp_path / "postbell.toml"
    file.write_text("[mqtt]\nca_file = '/absent'\n[smtp]\nlisten='127.0.0.1:0'\n[broker]\nlisten='127.0.0.1:0'\n")
    return file


@pytest.mark.parametrize(
    "error",
    [
        ConfigurationError("mqtt.ca_file = '/absent': No such file"),
        BrokerRefusesError("the broker refused its configuration"),
        BaseExceptionGroup("", [PostbellError("other"), ExceptionGroup("", [ConfigurationError("mqtt.ca_file")])]),
    ],
)
def test_what_the_configuration_knows_of_is_told_with_its_line(config, error):
    with pytest.raises(ConfigurationError, match=rf"^{config}:2: mqtt\.ca_file = '/absent': there is no such file"):
        mistakes.explain(error, config)


@pytest.mark.parametrize("error", [ConfigurationError("something else"), PostbellError("mqtt.ca_file"), OSError("x")])
def test_anything_else_is_left_as_it_is(config, error):
    mistakes.explain(error, config)


def test_a_file_that_is_gone_by_now_explains_nothing(config):
    config.unlink()
    mistakes.explain(ConfigurationError("mqtt.ca_file"), config)


def test_only_what_is_in_the_brokers_way_keeps_it_from_running(config):
    judging.refuse(config)
    config.write_text("[smtp]\nlsiten = 1\n")
    with pytest.raises(ConfigurationError, match="did you mean smtp"):
        judging.refuse(config)
