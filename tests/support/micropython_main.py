"""A device for tests, to be run by MicroPython: tells what is on its screen, and does what it reads.

Arguments: host, port, user, device, password, state file, and the DER file of a certificate authority or "".
"""

# mypy: disable-error-code="assignment,attr-defined,import-not-found"
# (MicroPython, and what lies beside this file on a board, are not known to it.)
# ruff: noqa: PTH123, T201 (there is no pathlib, and what it prints is what it says)

import gc
import select
import sys

import postbell

host, port, user, device, password, path, authority = sys.argv[1:8]
context = None
if authority:
    with open(authority, "rb") as file:
        context = postbell.tls(file.read())


def show(mail_id, header):
    print("shown", mail_id, header[3])


def vanish(mail_id, shown):
    print("gone", mail_id, int(shown))


def reply(request_id, status, offset, total, content):
    print("reply", request_id, status, offset, total, len(content))


def say(text):
    print("says", text)


def state():
    """What a test wants to know, and what it costs."""
    gc.collect()
    print("heap", gc.mem_alloc(), gc.mem_free(), most)
    print("counts", *client.counts)
    print("ids", end=" ")
    for mail_id in client.memory.ids(postbell.LIVE):
        print(mail_id, end=" ")
    print()


def obey(words):
    if words[0] == "state":
        state()
    elif words[0] == "seen":
        client.seen(*words[1:])
    elif words[0] == "ask":
        print("asked", client.ask(words[1], *[int(word) if word.isdigit() else word for word in words[2:]]))
    elif words[0] == "headers":
        for mail_id, header in client.journal.headers(int(words[1])):
            print("header", mail_id, header[3] if header else "?")
    elif words[0] == "fetch":
        print("fetched", client.fetch(int(words[1])))
        client.close()
        print("closed")
    elif words[0] == "end":
        client.close()
        sys.exit()


client = postbell.Client(
    host,
    user,
    device,
    password,
    int(port),
    context,
    path=path,
    network="test",
    show=show,
    vanish=vanish,
    reply=reply,
    say=say,
)
orders = select.poll()
orders.register(sys.stdin, select.POLLIN)
asleep = len(sys.argv) > 8
most = 0
told = None
while True:
    if asleep:
        orders.poll()
    else:
        client.step(50)
        most = max(most, gc.mem_alloc())
        now = (client.box.agrees(client.box.digest), client.memory.count[postbell.LIVE], client.up)
        if now[2] and not (told and told[2]):
            print("connected")
        if now != told:
            told = now
            print("agrees" if now[0] and now[2] else "astray", now[1])
    if orders.poll(0):
        line = sys.stdin.readline()
        if not line:
            break
        obey(line.split())
