"""The flow for Node-RED in a Node-RED, as a person imports it: `python -m tests.browser.node_red FOLDER [PICTURE]`.

FOLDER is where `npm install node-red` was run; that is 116 MB, so no test fetches it. Imports what
`device add --for nodered` prints, types the login, deploys, lets a mail come, has it answered with the flow's button,
and makes the picture of docs/devices/node-red.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser.conftest import Person, a_site
from tests.conftest import need
from tests.support.browser import Browser
from tests.support.waiting import free_port, listens, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.browser import Tab

SETTINGS = """
module.exports = {{
  uiHost: "127.0.0.1", uiPort: {port}, telemetry: {{ enabled: false, updateNotification: false }}, tours: false,
  editorTheme: {{ tours: false, projects: {{ enabled: false }} }}, logging: {{ console: {{ level: "warn" }} }},
}};
"""
LINES = "return [...document.querySelectorAll('.red-ui-debug-msg-payload')].map((each) => each.innerText.trim())"
"""Each message of the side bar Debug, newest last."""


@contextmanager
def node_red(folder: Path, directory: Path) -> Iterator[str]:
    """One that was never used; where its editor is."""
    port = free_port()
    (directory / "settings.js").write_text(SETTINGS.format(port=port))
    program = folder / "node_modules" / "node-red" / "red.js"
    command = [str(each) for each in (need("node"), program, "-u", directory, "-s", directory / "settings.js")]
    with (directory / "node-red.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=directory, stdout=log, stderr=log, env={**os.environ, "HOME": str(directory)}
        )
        try:
            until(lambda: listens(("127.0.0.1", port)), what="Node-RED to listen")
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()
            process.wait(30)


def imported(tab: Tab, flow: str, login: dict[str, str]) -> None:
    """As in the page: import, fill in the login, deploy."""
    tab.until(
        "return globalThis.RED?.nodes?.getWorkspaceOrder?.().length"
        " && !document.querySelector('#red-ui-loading-progress')?.offsetParent"
    )
    tab.run("RED.actions.invoke('core:show-import-dialog')")
    tab.until("return document.querySelector('#red-ui-clipboard-dialog-import-text')")
    tab.run(f"$('#red-ui-clipboard-dialog-import-text').val({json.dumps(flow)}).trigger('change').trigger('keyup')")
    tab.until("return !document.querySelector('#red-ui-clipboard-dialog-ok').disabled")
    tab.run("document.querySelector('#red-ui-clipboard-dialog-ok').click()")
    tab.until(
        "const tab = RED.nodes.filterNodes({ type: 'mqtt in' })[0]; return tab && (RED.workspaces.show(tab.z), true)"
    )
    tab.run("RED.editor.editConfig('', 'mqtt-broker', RED.nodes.filterNodes({ type: 'mqtt in' })[0].broker)")
    tab.until("return document.querySelector('#node-config-input-user')")
    for field, name in (("user", "username"), ("password", "password")):
        tab.run(f"$('#node-config-input-{field}').val({json.dumps(login[name])}).trigger('change')")
    tab.run("document.querySelector('#node-config-dialog-ok').click()")
    tab.until("return !document.querySelector('#node-config-dialog-ok')?.offsetParent")
    tab.run("RED.sidebar.show('debug'); document.querySelector('#red-ui-header-button-deploy').click()")
    tab.until(
        "return RED.nodes.filterNodes({ type: 'mqtt in' }).every((each) => each.status?.text?.includes('connected'))"
    )


def shown(folder: Path, picture: Path, directory: Path) -> None:
    """All of it, once."""
    (directory / "site").mkdir()
    with a_site(directory / "site") as site, node_red(folder, directory) as editor:
        site.serve()
        person = Person(site)
        flow = site.run("device", "add", person.name, "nodered", "--for", "nodered")
        login = json.loads(site.run("device", "password", person.name, "nodered", "--json").stdout)
        with Browser("chromium", directory / "profile") as browser:
            tab = browser.open(editor, size=(1280, 640, 1))
            imported(tab, flow.stdout, login)
            person.mail("The plan, with drawings", sender="Ada Lovelace <ada@example.org>")
            tab.until(
                f"return (await (async () => {{ {LINES} }})()).some((each) => each.includes('Ada Lovelace: The plan'))"
            )
            tab.run("$.post('inject/' + RED.nodes.filterNodes({ type: 'inject' })[0].id)")
            tab.until(f"return (await (async () => {{ {LINES} }})()).some((each) => each.includes('ok'))")
            until(
                lambda: not site.run("inbox", f"{person.name}/phone", "--json").stdout,
                what="the mail to be seen everywhere",
            )
            tab.run("document.querySelectorAll('.red-ui-notification').forEach((each) => each.remove())")
            tab.ask("shot", path=str(picture))
            sys.stdout.write("\n".join(tab.run(LINES)) + "\n")


if __name__ == "__main__":
    where = Path(sys.argv[2]) if len(sys.argv) > 2 else Path("docs/devices/node-red.png")
    with tempfile.TemporaryDirectory() as scratch:
        shown(Path(sys.argv[1]).resolve(), where.resolve(), Path(scratch))
