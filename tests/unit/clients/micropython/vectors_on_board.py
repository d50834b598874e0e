"""Runs the shared vectors through `postbell` where it is imported: MicroPython's UNIX port, or CPython.

Prints a line for each vector that came out otherwise, and at last how many there were.
"""

# mypy: disable-error-code="assignment,attr-defined,import-not-found"
# (MicroPython, and what lies beside this file on a board, are not known to it.)
# ruff: noqa: PTH123, T201 (there is no pathlib, and what it prints is what it says)

import json
import sys

sys.path.insert(0, sys.argv[1])
import postbell

VECTORS = sys.argv[2]
FIELDS = ("flags", "from_name", "from_address", "subject", "snippet", "size", "detail", "date")


def load(name):
    with open(VECTORS + "/" + name) as file:
        return json.load(file)


def raw(vector):
    return bytes(int(vector["packed"][at : at + 2], 16) for at in range(0, len(vector["packed"]), 2))


def fields(vector):
    return tuple([vector[field] for field in FIELDS])


def recent(answer):
    found = []
    for (row,) in postbell.unpack(answer, 1000):
        mail_id, (header,) = postbell.unpack(row, 2)
        postbell.id_halves(postbell.line(mail_id))
        try:
            found.append((postbell.line(mail_id), postbell.decode_header(header)))
        except postbell.ContractError as error:
            if str(error) != "version":
                raise
    return found


def parts(answer):
    found = []
    for (row,) in postbell.unpack(answer, 1000):
        index, content_type, name, size = postbell.unpack(row, 4)
        whole = [postbell.integer(index), postbell.line(content_type), postbell.line(name), postbell.integer(size)]
        found.append(whole)
    return found


def a_reply(vector):
    request_id, status, offset, total, content = postbell.decode_reply(raw(vector))
    wanted = vector["text"] if status else bytes(raw({"packed": vector["bytes"]}))
    found = (request_id, status, offset, total, content)
    return found, (vector["request_id"], vector["status"], vector["offset"], vector["total"], wanted)


def header(vector):
    return postbell.decode_header(raw(vector)), fields(vector)


def digest(vector):
    found = postbell.decode_digest(raw(vector))
    memory = postbell.Memory(128, 16)
    for mail_id in vector.get("ids", ()):
        memory.change(mail_id, postbell.LIVE)
    assert memory.matches(found), "the digest of the ids"
    return found, (vector["live"], vector["check"], vector["newest_id"])


def an_id(vector):
    return (
        (postbell.received_ms(vector["id"]), postbell.id_text(*postbell.id_halves(vector["id"]))),
        (vector["unix_ms"], vector["id"]),
    )


def topic(vector):
    if vector["kind"] == "name":
        if not postbell.valid_name(vector["value"]):
            postbell.malformed()
        return 0, 0
    return postbell.parse_topic(vector["root"], vector["topic"]), (vector["user"], vector["what"], vector["leaf"])


def answer(vector):
    if vector["kind"] == "recent":
        wanted = [(each["id"], fields(each)) for each in vector.get("messages", ())]
        return recent(raw(vector)), wanted
    if vector["kind"] == "parts":
        return parts(raw(vector)), vector.get("parts")
    if vector["kind"] == "push":
        told = tuple([postbell.line(each) for each in postbell.unpack(raw(vector), 4)])
        if len(told) < 4:
            postbell.malformed()
        return told, tuple([vector.get(field) for field in ("key", "endpoint", "state", "reason")])
    return a_reply(vector)


def request(vector):
    packed = postbell.encode_request(vector["request_id"], vector["op"], *vector["arguments"])
    return packed, raw(vector)


def try_one(name, check, vector):
    try:
        found, wanted = check(vector)
    except postbell.ContractError as error:
        if str(error) != vector.get("error"):
            print(name, vector["name"], "raised", error)
    except (ValueError, TypeError) as error:  # of the glue above: what `recent` and `parts` hold is not an array
        if "error" not in vector or vector.get("kind") not in ("recent", "parts"):
            print(name, vector["name"], "raised", repr(error))
    else:
        if "error" in vector:
            print(name, vector["name"], "was not refused")
        elif found != wanted:
            print(name, vector["name"], "gave", found, "instead of", wanted)


def starts(vector):
    """No start of a header is anything but an error."""
    whole = raw(vector)
    for length in range(len(whole)):
        try:
            postbell.decode_header(whole[:length])
        except postbell.ContractError:
            continue
        print("the first", length, "bytes of", vector["name"], "were taken for a header")


def main():
    count = 0
    for name, check in (
        ("headers", header),
        ("digests", digest),
        ("ids", an_id),
        ("topics", topic),
        ("replies", answer),
        ("requests", request),
    ):
        for vector in load(name + ".json"):
            if name == "requests" and ("error" in vector or not vector.get("canonical", True)):
                continue  # the bridge reads these, a device never writes them
            count += 1
            try_one(name, check, vector)
            if name == "headers" and "error" not in vector:
                starts(vector)
    print(count)


main()
