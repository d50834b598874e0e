"""What a command and the running bridge say to one another over the control socket."""

from __future__ import annotations

import asyncio
import gc
import socket

import pytest

from bridge.daemon import control, control_server
from bridge.daemon.control import ControlError
from bridge.errors import PostbellError
from tests.support.waiting import until_on_loop


async def _look(request):
    return {"looked": request["at"]}


async def _fail(_request):
    raise PostbellError("the broker is away")


async def _break(_request):
    raise RuntimeError("a defect")


def asked(run_dir, *requests):
    """What each request comes to, as a command would see it."""

    async def one(request):
        try:
            return await asyncio.to_thread(control.ask, run_dir, request, deadline_s=20)
        except ControlError as error:
            return str(error)

    async def run():
        listening = asyncio.create_task(control_server.listen(run_dir, {"look": _look, "fail": _fail, "break": _break}))
        await until_on_loop((run_dir / control.NAME).exists, what="the control socket")
        answers = [await one(request) for request in requests]
        listening.cancel()
        return answers

    return asyncio.run(run())


def test_an_action_answers_and_an_error_is_told_in_its_own_words(tmp_path):
    answers = asked(tmp_path, {"do": "look", "at": 7}, {"do": "fail"}, {"do": "dance"}, {}, [])
    assert answers[:2] == [{"looked": 7}, "the broker is away"]
    assert all(answer.startswith("not a request: ") for answer in answers[2:])


def test_a_defect_leaves_nobody_waiting_and_is_told(tmp_path, caplog):
    broken, looked = asked(tmp_path, {"do": "break"}, {"do": "look", "at": 7})
    assert broken.startswith("the running bridge does not answer")
    assert looked == {"looked": 7}
    gc.collect()
    assert "a defect" in caplog.text


def test_nobody_to_ask(tmp_path):
    with pytest.raises(ControlError, match="does not answer"):
        control.ask(tmp_path, {"do": "look"})


def test_an_answer_that_never_comes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(control.NAME)
        silent.listen()
        with pytest.raises(ControlError, match="does not answer"):
            control.ask(tmp_path, {"do": "look"}, deadline_s=0.01)
