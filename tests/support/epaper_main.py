"""Wakes the ESP32 example up once, with a board of paper around it: what an ESP32 has and a computer has not.

Arguments: port, `timer` or `button`, state file, image. Prints what the example does to the board, and
writes what stands on the panel as a PBM image.
"""

# mypy: disable-error-code="assignment,attr-defined,import-not-found"
# (MicroPython, and what lies beside this file on a board, are not known to it.)
# ruff: noqa: E402, PTH123, T201 (modules come first that the next import; there is no pathlib; it says by printing)

import sys

PORT, WOKEN_BY, STATE, IMAGE = sys.argv[1:5]


class Pin:
    OUT, IN, PULL_UP = 0, 1, 2

    def __init__(self, number, *_, value=0):
        self.number, self.value = number, value

    def __call__(self, value=None):
        if value is None:
            return 0
        self.value = value
        return None


class SPI:
    """The panel's end: what was written to its memory is the picture once it is told to update."""

    def __init__(self, *_, **_pins):
        self.rows, self.command = [], 0

    def write(self, data):
        if example.paper_dc() == 0:
            self.command = data[0]
            if self.command == 0x20:
                self.draw()
        elif self.command == 0x24:
            self.rows.append(bytes(data))

    def draw(self):
        print("drawn", len(self.rows), len(self.rows[0]))
        with open(IMAGE, "wb") as file:
            file.write(b"P1\n128 250\n")
            for row in self.rows:
                bits = "".join("01"[not row[place // 8] >> 7 - place % 8 & 1] for place in range(128))
                file.write(bits.encode() + b"\n")


class Station:
    def __init__(self, _which):
        pass

    def active(self, on):
        print("wifi", on)

    def connect(self, *login):
        print("joins", *login)

    def isconnected(self):
        return True


def deepsleep(wait):
    print("sleeps", wait)
    sys.exit()


class Module:
    def __init__(self, **names):
        for name, value in names.items():
            setattr(self, name, value)


class Machine(Module):
    Pin, SPI, PIN_WAKE = Pin, SPI, 2


sys.modules["network"] = Module(WLAN=Station, STA_IF=0)
sys.modules["esp32"] = Module(wake_on_ext0=lambda pin, _level: print("button", pin.number), WAKEUP_ALL_LOW=0)
sys.modules["machine"] = Machine(
    lightsleep=lambda _wait: None,
    deepsleep=deepsleep,
    wake_reason=lambda: 2 if WOKEN_BY == "button" else 4,
)

import esp32_epaper as example
import postbell

dc = []
whole = Pin.__init__


def remember(self, number, *options, value=0):
    whole(self, number, *options, value=value)
    if number == example.DC:
        dc.append(self)


Pin.__init__ = remember
example.paper_dc = lambda: dc[-1].value
example.BROKER, example.PORT, example.CA = "127.0.0.1", int(PORT), None
if PORT == "1":  # nobody listens there
    example.FETCH_MS = 500
client = postbell.Client


def on_this_file(*arguments, **options):
    options["path"] = STATE
    return client(*arguments, **options)


postbell.Client = on_this_file
example.main()
