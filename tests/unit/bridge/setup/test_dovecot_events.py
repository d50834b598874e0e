"""What has Dovecot say which mailbox changed."""

from __future__ import annotations

import pytest

from bridge.errors import ConfigurationError
from bridge.setup import dovecot_events


def test_the_recipe_makes_a_directory_for_everybody_and_names_it_in_the_script():
    recipe = dovecot_events.recipe("postbell")
    assert str(recipe).splitlines()[-2:] == [
        "install -d -o postbell -m 1733 /var/lib/postbell-events",
        "doveadm reload",
    ]
    script, plugins = recipe.files
    assert 'local box = "/var/lib/postbell-events/"' in script.text
    assert script.path in plugins.text


def test_a_directory_that_a_script_cannot_name_is_refused():
    with pytest.raises(ConfigurationError, match=r"imap\.events_dir"):
        dovecot_events.recipe("postbell", box='/tmp/"x')
