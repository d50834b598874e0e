"""The window, driven by Textual's own pilot: what a mail says is literal, and a long list costs what is seen of it."""

from __future__ import annotations

import asyncio
from typing import Any

import msgpack
import pytest
from rich.cells import cell_len
from textual.widgets import Input, OptionList, Static

from clients.box.numbers import Numbers
from clients.contract.header import Header
from clients.errors import RequestError
from clients.terminal.inbox.listing import Listed
from clients.terminal.tui.account import AccountSaid, MailCame, MailLeft
from clients.terminal.tui.app import MailApp
from clients.terminal.tui.mail_list import MailList
from tests.support.contract_player import mail_id

HOSTILE = "[/nope] [@click=app.exit(7)]boom[/] [bold]x"
PARTS = msgpack.packb([[0, "text/plain", "", 9], [1, "image/png", "[/nope].png", 3]])


class WindowAccount:
    """Stands in for a device: knows what it was asked, and answers when told to."""

    def __init__(self, name, rows=()):
        self.name, self._rows = name, list(rows)
        self.errands, self.seen = [], []
        self.tell: Any = None

    def rows(self):
        return self._rows

    def start(self, tell):
        self.tell = tell

    def run(self, errand):
        self.errands.append(errand)

    def mark_seen(self, mail_id):
        self.seen.append(mail_id)

    def answer(self, **answers):
        """Answer what was asked."""
        errands, self.errands = self.errands, []
        for each in errands:
            answer = answers[each.operation]
            if isinstance(answer, Exception):
                each.into.abandon()
                each.done(answer)
            else:
                each.into.write(answer)
                each.into.finish()
                each.done(None)
        return [(each.operation, each.arguments) for each in errands]


def row(number, subject="Plan", name="Ada", **fields):
    return Listed(
        number + 1, mail_id(number), Header(0, name, "ada@example.org", subject, "See the drawing.", **fields)
    )


def drive(story, *accounts, size=(100, 30), directory=None):
    """Run the window and a story with it; the window's result."""
    stand_ins: Any = accounts

    async def run():
        app = MailApp(stand_ins, directory=directory)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await story(app, pilot)
        return app.return_value

    return asyncio.run(run())


def lines(app):
    """The list as it stands on the screen."""
    mails = app.query_one(MailList)
    return [mails.render_line(y).text.rstrip() for y in range(mails.scrollable_content_region.height)]


def text_of(app, where):
    return str(app.query_one(where, Static).content)


def test_what_a_mail_says_is_literal_everywhere(tmp_path):
    account = WindowAccount("alice/phone", [row(0, HOSTILE, "[/nope]"), row(1, "last")])

    async def story(app, pilot):
        await pilot.press("end", "enter")
        await pilot.pause()
        asked = account.answer(text=b"[/nope] \x1b[2J\xe2\x80\xae[@click=app.exit(7)]body[/]\r\n", parts=PARTS)
        assert asked == [("text", (mail_id(0),)), ("parts", (mail_id(0),))]
        await pilot.pause()
        assert HOSTILE in lines(app)[1]
        assert f"Subject  {HOSTILE}" in text_of(app, "#body")
        assert text_of(app, "#body").endswith("[/nope] \ufffd[2J\ufffd[@click=app.exit(7)]body[/]\n")
        assert "[/nope].png" in str(app.query_one(OptionList).get_option_at_index(0).prompt)
        account.tell(AccountSaid("alice/phone", "[/nope] said"))
        await pilot.pause()
        assert "[/nope] said" in text_of(app, "#head")
        screenshot = app.export_screenshot()
        assert "boom" in screenshot

    assert drive(story, account, directory=tmp_path) is None


def test_attachments_are_saved_one_or_all_of_them(tmp_path):
    account = WindowAccount("alice/phone", [row(0)])

    async def story(app, pilot):
        await pilot.press("d")
        assert "open a mail that has attachments first" in text_of(app, "#head")
        await pilot.press("enter")
        account.answer(text=b"text", parts=PARTS)
        await pilot.pause()
        await pilot.press("d")
        assert account.answer(part=b"png") == [("part", (mail_id(0), 1))]
        await pilot.pause()
        assert "saved" in text_of(app, "#head")
        app.query_one(OptionList).focus()
        await pilot.press("home", "enter")
        account.answer(part=b"png")

    drive(story, account, directory=tmp_path)
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"png", b"png"]


def test_mail_comes_leaves_is_marked_and_taken_back():
    account = WindowAccount("alice/phone", [row(0, "first")])

    async def story(app, pilot):
        account.tell(MailCame("alice/phone", row(1, "second")))
        await pilot.pause()
        await pilot.pause()
        assert ["second" in lines(app)[0], "first" in lines(app)[1]] == [True, True], "the newest is above"
        await pilot.press("s")
        assert account.seen == [mail_id(0)], "the cursor stays on its mail"
        account.tell(MailLeft("alice/phone", mail_id(0)))
        await pilot.pause()
        await pilot.pause()
        assert [each for each in lines(app) if each] == [lines(app)[0]]
        await pilot.press("u")
        assert account.answer(unseen=b"") == [("unseen", (mail_id(0),))]
        account.tell(MailLeft("alice/phone", mail_id(1)))
        await pilot.pause()
        await pilot.pause()
        assert text_of(app, "#body") == ""
        await pilot.press("s", "enter", "up", "pagedown")

    drive(story, account)


def test_search_narrows_the_list_and_escape_widens_it_again():
    account = WindowAccount("alice/phone", [row(0, "Grüße"), row(1, "[plan]"), row(2, "other", "Bob")])

    async def story(app, pilot):
        for sought, found in (("GRÜSSE", 1), ("[plan", 1), ("bob", 1), ("nothing", 0), ("drawing", 3)):
            await pilot.press("slash")
            app.query_one(Input).value = sought
            await pilot.pause()
            assert len([each for each in lines(app) if each]) == found, sought
        await pilot.press("enter", "escape")
        await pilot.pause()
        assert len([each for each in lines(app) if each]) == 3
        assert app.query_one(MailList).has_focus

    drive(story, account)


def test_several_accounts_are_shown_together_or_one_by_one():
    alice, bob = (
        WindowAccount("alice/phone", [row(0, "to alice")]),
        WindowAccount("bob/desk", [row(0, "to bob"), row(1, "too")]),
    )

    async def story(app, pilot):
        for said, count in (("alice/phone, bob/desk", 3), ("alice/phone", 1), ("bob/desk", 2), ("alice", 3)):
            assert text_of(app, "#head").startswith(said)
            assert len([each for each in lines(app) if each]) == count
            await pilot.press("n")
        await pilot.press("n", "s")
        assert bob.seen == [mail_id(1)]
        assert alice.seen == []

    drive(story, alice, bob)


def test_an_errand_that_fails_is_told_and_an_account_that_ends_ends_the_window():
    account = WindowAccount("alice/phone", [row(0)])

    async def story(app, pilot):
        await pilot.press("enter")
        account.answer(text=RequestError("the bridge refused: body [/gone]"), parts=PARTS)
        await pilot.pause()
        assert "body [/gone]" in text_of(app, "#head")
        account.tell(AccountSaid("alice/phone", "refused", fatal=True))
        await pilot.pause()

    assert drive(story, account) == "refused"


@pytest.mark.parametrize("width", [60, 80, 132, 200])
def test_two_thousand_mails_line_up_at_every_width(width):
    subjects = ["plain", "会议纪要:明天下午三点" * 9, "مرحبا بالعالم", "👩‍👩‍👧‍👦 🇩🇪 ❤️" * 9, HOSTILE * 3]
    names = ["Ada", "会议室管理员通知会议室管理员通知", "مدير النظام", "e\u0301" * 40, "👍🏽 Bob"]
    numbers = Numbers()
    rows = []
    for each in range(2000):
        numbers.came(mail_id(each))
        rows.append(
            Listed(numbers.of(mail_id(each)), mail_id(each), row(each, subjects[each % 5], names[each % 5]).header)
        )
    account = WindowAccount("alice/phone", rows)

    async def story(app, pilot):
        mails = app.query_one(MailList)
        assert mails.virtual_size.height == 2000
        drawn = []
        original = mails.render_line

        def counted(y):
            drawn.append(y)
            return original(y)

        mails.render_line = counted
        await pilot.press("end")
        await pilot.pause()
        assert 0 < len(drawn) <= 4 * mails.scrollable_content_region.height, "only what is seen is drawn"
        inside = mails.scrollable_content_region.width
        assert {cell_len(original(y).text) for y in range(mails.scrollable_content_region.height)} == {inside}
        assert " 1 " in lines(app)[-1][:5]
        await pilot.resize_terminal(width // 2 + 20, 24)
        await pilot.pause()
        assert cell_len(original(0).text) == mails.scrollable_content_region.width

    drive(story, account, size=(width, 40))


def test_mails_that_come_together_are_drawn_once_and_what_is_open_stays_open():
    account = WindowAccount("alice/phone", [row(0, "first")])

    async def story(app, pilot):
        await pilot.press("enter")
        account.answer(text=b"all of it", parts=PARTS)
        await pilot.pause()
        show, drawn = app._show, []

        def counted():
            drawn.append(len(app._entries))
            show()

        app._show = counted
        for each in range(1, 4):
            account.tell(MailCame("alice/phone", row(each, "next")))
        await pilot.pause()
        await pilot.pause()
        assert len([each for each in lines(app) if each]) == 4
        assert drawn == [4]
        assert text_of(app, "#body").endswith("all of it")
        app.query_one(MailList).post_message(MailList.Highlighted())
        await pilot.pause()
        assert text_of(app, "#body").endswith("all of it")
        assert app.query_one(OptionList).option_count == 1

    drive(story, account)


def test_an_answer_that_comes_when_another_mail_is_read_is_not_shown():
    account = WindowAccount("alice/phone", [row(0, "first"), row(1, "second")])

    async def story(app, pilot):
        await pilot.press("enter", "down")
        await pilot.pause()
        account.answer(text=b"text of the second", parts=PARTS)
        await pilot.pause()
        assert "Subject  first" in text_of(app, "#body")
        assert "text of the second" not in text_of(app, "#body")
        assert app.query_one(OptionList).option_count == 0

    drive(story, account)


def test_nothing_is_taken_back_while_nothing_was_marked():
    account = WindowAccount("alice/phone", [row(0)])

    async def story(_app, pilot):
        await pilot.press("u")
        assert account.errands == []

    drive(story, account)


def test_one_account_of_several_that_ends_does_not_end_the_window():
    alice, bob = WindowAccount("alice/phone", [row(0)]), WindowAccount("bob/desk")

    async def story(app, pilot):
        alice.tell(AccountSaid("alice/phone", "refused", fatal=True))
        await pilot.pause()
        await pilot.pause()
        assert "alice/phone: refused" in text_of(app, "#head")
        assert app.is_running

    assert drive(story, alice, bob) is None


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    account = WindowAccount("alice/phone", [row(0)])

    async def story(app, pilot):
        await pilot.press("enter")
        account.answer(text=b"text", parts=PARTS)
        await pilot.pause()
        await pilot.press("d")
        await pilot.pause()
        assert "cannot write" in text_of(app, "#head")

    drive(story, account, directory=tmp_path / "missing")


def test_a_list_of_parts_that_cannot_be_read_is_told(tmp_path):
    account = WindowAccount("alice/phone", [row(0)])

    async def story(app, pilot):
        await pilot.press("enter")
        account.answer(text=b"text", parts=b"\xc1")
        await pilot.pause()
        await pilot.pause()
        assert "cannot be read" in text_of(app, "#head")

    drive(story, account, directory=tmp_path)
