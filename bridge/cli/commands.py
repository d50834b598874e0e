"""Every command of `postbell`, with its line in the help, and where it is.

A command's module is imported when the command is asked for, so that no command waits for what another needs. The name
of a function here is the command's, its docstring the line in `postbell --help`: the same as the first line of the
command's own help.
"""

from __future__ import annotations

from bridge.cli.lazily import LazyGroup, Told


class Postbell(LazyGroup):
    """All commands, in the order of the help."""


@Postbell.found_by
def init() -> Told:
    """Set an installation up: configuration, certificate, first user and device, mail server."""
    from bridge.cli import init as module

    return module.init


@Postbell.found_by
def serve() -> Told:
    """Run the bridge and, unless broker.embedded is off, the broker beside it."""
    from bridge.cli import serving

    return serving.serve


@Postbell.found_by
def bridge() -> Told:
    """Run the bridge alone: SMTP and LMTP in, MQTT out."""
    from bridge.cli import serving

    return serving.bridge


@Postbell.found_by
def broker() -> Told:
    """Run the embedded MQTT broker alone."""
    from bridge.cli import serving

    return serving.broker


@Postbell.found_by
def user() -> Told:
    """People: who gets mail, under which addresses."""
    from bridge.cli import users

    return users.user_app


@Postbell.found_by
def device() -> Told:
    """Devices: what a person is told on."""
    from bridge.cli import devices

    return devices.device_app


@Postbell.found_by
def mailbox() -> Told:
    """Mailboxes: what is read there is gone here, and the other way round."""
    from bridge.cli import mailboxes

    return mailboxes.mailbox_app


@Postbell.found_by
def push() -> Told:
    """Push: how devices that sleep are rung."""
    from bridge.cli import push as module

    return module.push_app


@Postbell.found_by
def sender() -> Told:
    """Senders: mail servers that log in over TLS to hand in mail."""
    from bridge.cli import logins

    return logins.sender_app


@Postbell.found_by
def admin() -> Told:
    """Administrators: MQTT logins that read everything and write nothing."""
    from bridge.cli import logins

    return logins.admin_app


@Postbell.found_by
def node() -> Told:
    """Nodes: bridges that publish at this broker, each with a login."""
    from bridge.cli import logins

    return logins.node_app


@Postbell.found_by
def cell() -> Told:
    """Cells: brokers that share the users among them."""
    from bridge.cli import cells

    return cells.cell_app


@Postbell.found_by
def send() -> Told:
    """Hand a mail to Postbell over SMTP, as a mail server would."""
    from bridge.cli import send as module

    return module.send


@Postbell.found_by
def watch() -> Told:
    """Show mail as it comes: the reference client (terminal)."""
    from bridge.cli import client

    return client.watch_app


@Postbell.found_by
def inbox() -> Told:
    """List what is unseen, and open, save or mark it (terminal)."""
    from bridge.cli import client

    return client.inbox_app


@Postbell.found_by
def read() -> Told:
    """Read a body or save an attachment over MQTT."""
    from bridge.cli import client

    return client.read_app


@Postbell.found_by
def certificate() -> Told:
    """The certificate that devices are shown: look at it, renew it, put another in its place."""
    from bridge.cli import certificate as module

    return module.certificate_app


@Postbell.found_by
def config() -> Told:
    """The configuration: what is wrong with it, and what it says."""
    from bridge.cli import config as module

    return module.config_app


@Postbell.found_by
def status() -> Told:
    """Show listeners, users, live messages, what waits for the broker, and the mailboxes that are followed."""
    from bridge.cli import status as module

    return module.status


@Postbell.found_by
def trace() -> Told:
    """Tell the story of one mail, from MAIL FROM to the last device, with the rule that silenced it."""
    from bridge.cli import trace as module

    return module.trace


@Postbell.found_by
def doctor() -> Told:
    """Look at every hop of a mail's way, from the mail server to a device, and name what is broken with its cure."""
    from bridge.cli import doctor as module

    return module.doctor


@Postbell.found_by
def bench() -> Told:
    """Measure what this installation can do: mails a second, latency, processor time a mail."""
    from bridge.cli import bench as module

    return module.bench


@Postbell.found_by
def reconcile() -> Told:
    """Compare what the broker holds with what it should hold, and repair the difference."""
    from bridge.cli import reconcile as module

    return module.reconcile


@Postbell.found_by
def reload() -> Told:
    """Have what runs read its configuration again, and say what holds from now on."""
    from bridge.cli import reload as module

    return module.reload


@Postbell.found_by
def backup() -> Told:
    """Save users, logins, mail and what waits in one file, while all runs."""
    from bridge.cli import backup as module

    return module.backup


@Postbell.found_by
def restore() -> Told:
    """Have a backup take the place of the state, while nothing runs on it."""
    from bridge.cli import restore as module

    return module.restore


@Postbell.found_by
def export() -> Told:
    """Give a user all that is known of them: mail, headers, rules, addresses, devices."""
    from bridge.cli import export as module

    return module.export


@Postbell.found_by
def salvage() -> Told:
    """Save what can be read of a damaged database into a new one; the old file is kept."""
    from bridge.cli import salvage as module

    return module.salvage


@Postbell.found_by
def setup() -> Told:
    """Print a shell script that connects a mail server or a broker: read it, then run it as root."""
    from bridge.cli import setup as module

    return module.setup


@Postbell.found_by
def completion() -> Told:
    """Print a script that completes commands, options, users and devices."""
    from bridge.cli import completion as module

    return module.completion
