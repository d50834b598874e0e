"""What a session reads: command lines and mail data, in bulk and in bounded memory. Pure."""

from __future__ import annotations


class DataDecoder:
    """Finds the end of mail data and takes out the transparency dots (RFC 5321 §4.5.2).

    Only CR LF . CR LF ends the data: a bare LF or CR is content, whatever stands around it
    (RFC 5321 §2.3.8, CVE-2023-51764). With `bare` a line ends in LF, and a CR before it is no harm (`line_ends.py` says
    when). Works on blocks of any length and at any boundary.
    """

    def __init__(self, *, bare: bool = False) -> None:
        self._break = b"\n" if bare else b"\r\n"
        self._dot = self._break + b"."
        self._ends = (b"\n.\n", b"\n.\r\n") if bare else (b"\r\n.\r\n",)
        self._tail = self._break  # the end of the DATA command's own line begins the first line of content
        self._started = False

    def feed(self, block: bytes) -> tuple[bytes, bytes | None]:
        """The content that is certain now, and what follows the end of data, or None before the end."""
        data = self._tail + block
        rest = None
        first = data.find(self._dot)
        if first >= 0 and (ends := [end for end in self._ends if data.startswith(end, first)]):
            content, rest = data[: first + len(self._break)], data[first + len(ends[0]) :]  # most mail has no other dot
        else:
            if found := [(at, end) for end in self._ends if (at := data.find(end)) >= 0]:
                at, end = min(found)
                data, rest = data[: at + len(self._break)], data[at + len(end) :]
            else:
                tail = max(_trailing_part(data, end) for end in self._ends)
                data, self._tail = data[: len(data) - tail], data[len(data) - tail :]
            content = data.replace(self._dot, self._break)
        if content and not self._started:
            self._started = True
            content = content[len(self._break) :]
        return content, rest


def _trailing_part(data: bytes, end: bytes) -> int:
    """How many of the last bytes may be the beginning of this end of data."""
    for length in range(len(end) - 1, 0, -1):
        if data.endswith(end[:length]):
            return length
    return 0


class LineTooLongError(Exception):
    """A command line was longer than allowed; it has been read up to its end and dropped."""


class Unread:
    """What has come over a connection and was not read yet: it gives lines and blocks, and takes back the rest.

    What comes alone is mostly read as a whole, and is not copied then; what comes on top of more is gathered.
    `came` is all of it, to be looked at.
    """

    __slots__ = ("_overlong", "_searched", "came")

    def __init__(self) -> None:
        self.came: bytes | bytearray = b""
        self._searched = 0
        self._overlong = False

    def __len__(self) -> int:
        return len(self.came)

    def add(self, data: bytes) -> None:
        """More has come."""
        if self.came:
            gathered = self._gathered()
            gathered += data
        else:
            self.came = data

    def _gathered(self) -> bytearray:
        """The same as something that grows and shrinks at its ends without being copied."""
        if not isinstance(self.came, bytearray):
            self.came = bytearray(self.came)
        return self.came

    def line(self, longest: int) -> bytes | None:
        """The next line with its end, None as long as it is not there; raises LineTooLongError.

        Of a line that is too long nothing is kept while its end is waited for.
        """
        came = self.came
        if not came:
            return None
        end = came.find(b"\n", self._searched) + 1
        if not end:
            self._searched = len(came)
            if self._searched > longest:
                self._overlong = True
                self.forget()
            return None
        self._searched = 0
        if end == len(came):
            line, self.came = bytes(came), b""
        else:
            line = bytes(came[:end])
            del self._gathered()[:end]
        if self._overlong or end > longest:
            self._overlong = False
            raise LineTooLongError
        return line

    def block(self, longest: int) -> bytes:
        """What has come, at most so much of it."""
        if len(self.came) <= longest:
            return self.take()
        self._searched = 0
        block = bytes(self.came[:longest])
        del self._gathered()[:longest]
        return block

    def unread(self, data: bytes) -> None:
        """Put back what was read too much; it is what will be read next."""
        if data:
            self.came = data + self.came

    def take(self) -> bytes:
        """All that has come, which is somebody else's to read."""
        data = bytes(self.came)
        self.forget()
        return data

    def forget(self) -> None:
        """Drop what has come unread, as STARTTLS demands (RFC 3207 §4.2)."""
        self.came = b""
        self._searched = 0
