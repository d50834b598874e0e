"""Dovecot tells which mailbox changed, so that nobody has to hold a connection to each.

Debian's Dovecot 2.3 has Lua for push notifications, and its Lua has neither sockets nor HTTP: only files. So the script
leaves an empty file, named as the user, in a directory of Postbell's, which looks there and then into that mailbox.
Nothing waits for Postbell: a mail process makes a file and goes on, and what is left there while Postbell is down is
found when it comes back.
"""

from __future__ import annotations

import shlex

from bridge.setup.dovecot import ETC
from bridge.setup.recipe import File, Recipe, Site, plain

BOX = "/var/lib/postbell-events"
"""Where the files are left, unless the configuration names another directory."""
MARK = "dovecot-events"
"""How the folder of marks calls it (`recipe.MARKS`)."""
MODE = "1733"
"""Everybody may leave a file; only Postbell sees which are there, and only it removes those of others."""


def recipe(owner: str, *, box: str = BOX, directory: str = "", state_dir: str = "") -> Recipe:
    """Files and commands for Dovecot; `owner` is the user that Postbell runs as. Raises ConfigurationError.

    With `state_dir` it is noted there, for the doctor.
    """
    etc, box = plain("--directory", directory or ETC), plain("imap.events_dir", box)
    script = f"{etc}/postbell-events.lua"
    return Recipe(
        server="Dovecot",
        summary="it tells Postbell which mailbox changed",
        folders=(f"{etc}/conf.d",),
        files=(File(script, _script(box)), File(f"{etc}/conf.d/96-postbell-events.conf", _plugins(script))),
        commands=(
            shlex.join(["install", "-d", "-o", owner or "postbell", "-m", MODE, box]),
            *Site(None, (), owner=owner, state_dir=state_dir).noting(MARK, etc),
        ),
        reload="doveadm reload",
        notes=(
            "Then follow mailboxes with: postbell mailbox add USER imap://127.0.0.1 --events --login 'USER*MASTER' …",
            "Where a file behind it sets mail_plugins for a protocol without $mail_plugins, add the four there.",
        ),
    )


def _plugins(script: str) -> str:
    return f"""mail_plugins = $mail_plugins mail_lua notify push_notification push_notification_lua

plugin {{
  push_notification_driver = lua:file={script}
}}
"""


def _script(box: str) -> str:
    return f"""local box = "{box}/"

local function named(user)
  return (user:gsub("[^%w@_-]", function(c) return string.format("%%%02X", c:byte()) end))
end

local function changed(context)
  context.changed = true
end

function dovecot_lua_notify_begin_txn(user)
  return {{ user = user.username, changed = false }}
end

dovecot_lua_notify_event_flags_set = changed
dovecot_lua_notify_event_flags_clear = changed
dovecot_lua_notify_event_message_expunge = changed
dovecot_lua_notify_event_message_trash = changed
dovecot_lua_notify_event_message_new = changed
dovecot_lua_notify_event_message_append = changed

function dovecot_lua_notify_end_txn(context, success)
  if context.changed then
    local file = io.open(box .. named(context.user), "w")
    if file then
      file:close()
    end
  end
end
"""
