"""An ESP32 with e-paper: wakes up, fetches what is new, draws it if anything changed, and sleeps.

Copy it to the board as `/main.py`, beside `postbell.mpy` and the certificate; docs/devices/esp32.md has the
wiring. The button (or the pin pulled low) wakes it at once, and says that what is on the screen was seen.
The panel is 250 × 122 with an SSD1680 (Waveshare 2.13 inch, Adafruit and others); for another one only
`Paper` changes.
"""

# mypy: disable-error-code="attr-defined,import-not-found,import-untyped"
# (MicroPython's modules are not known to it.)

import esp32
import framebuf
import machine
import network
import postbell

WIFI = ("ssid", "password")
BROKER = "mail.example.org"
USER, DEVICE, PASSWORD = "alice", "paper", "what postbell device add printed"
CA = "/ca.der"
"""The certificate authority of the broker, as DER; None for a broker without TLS."""
PORT = 8883
EVERY_MIN = 15
BUTTON, SCK, MOSI, CS, DC, RST, BUSY = 27, 18, 23, 5, 17, 16, 4
WIFI_MS = 10_000
FETCH_MS = 20_000

WIDTH, HEIGHT, TOP, ROW = 250, 128, 6, 9
"""The panel on its side; of its height the lower 122 can be seen, which are 13 rows of text."""


class Paper:
    """The panel: a frame to draw on, white, and `show`."""

    def __init__(self) -> None:
        self._pixels = bytearray(b"\xff" * (WIDTH * HEIGHT // 8))
        self.frame = framebuf.FrameBuffer(self._pixels, WIDTH, HEIGHT, framebuf.MONO_VLSB)
        pin = machine.Pin
        self._cs, self._dc, self._rst = (pin(each, pin.OUT, value=1) for each in (CS, DC, RST))
        self._busy = pin(BUSY, pin.IN)
        self._spi = machine.SPI(2, baudrate=4_000_000, sck=pin(SCK), mosi=pin(MOSI))

    def text(self, text: str, row: int, *, inverse: bool = False) -> None:
        """A row of 31 characters; what the font does not have is a question mark."""
        text = "".join(each if " " <= each <= "~" else "?" for each in text[: WIDTH // 8])
        if inverse:
            self.frame.fill_rect(0, TOP + row * ROW, WIDTH, ROW, 0)
        self.frame.text(text, 1, TOP + row * ROW, int(inverse))

    def show(self) -> None:
        """Draw the frame, wait until it stands, and let the panel sleep."""
        self._rst(0)
        machine.lightsleep(10)
        self._rst(1)
        self._wait()
        self._send(0x12)
        self._wait()
        for command in (
            b"\x01\xf9\x00\x00",  # 250 rows
            b"\x11\x03",  # from left to right, from top to bottom
            b"\x44\x00\x0f",
            b"\x45\x00\x00\xf9\x00",
            b"\x3c\x05",  # a white border
            b"\x18\x80",  # its own thermometer
            b"\x4e\x00",
            b"\x4f\x00\x00",
        ):
            self._send(command[0], command[1:])
        self._send(0x24)
        for column in range(WIDTH):  # a column of the frame is a row of the panel
            self._data(bytes(self._pixels[page * WIDTH + column] for page in range(HEIGHT // 8 - 1, -1, -1)))
        self._send(0x22, b"\xf7")
        self._send(0x20)
        self._wait()
        self._send(0x10, b"\x01")

    def _wait(self) -> None:
        while self._busy():
            machine.lightsleep(10)

    def _send(self, command: int, data: bytes = b"") -> None:
        self._dc(0)
        self._cs(0)
        self._spi.write(bytes([command]))
        self._cs(1)
        if data:
            self._data(data)

    def _data(self, data: bytes) -> None:
        self._dc(1)
        self._cs(0)
        self._spi.write(data)
        self._cs(1)


def connected() -> bool:
    """Whether the board came into the network in time."""
    station = network.WLAN(network.STA_IF)
    station.active(True)
    station.connect(*WIFI)
    for _ in range(WIFI_MS // 50):
        if station.isconnected():
            return True
        postbell.time.sleep_ms(50)
    return False


def draw(client: "postbell.Client", trouble: str) -> None:
    """The newest four mails, and how many there are."""
    paper = Paper()
    live = client.memory.count[postbell.LIVE]
    paper.text(trouble or f"{live} unread", 0, inverse=True)
    row = 1
    for _, header in client.journal.headers(4):
        if header is not None:
            _, name, address, subject, snippet, _, _, _ = header
            paper.text(name or address, row)
            paper.frame.hline(0, TOP + row * ROW + ROW - 1, 8 * min(len(name or address), 31), 0)
            paper.text(subject, row + 1)
            paper.text(snippet, row + 2)
            row += 3
    paper.show()


def main() -> None:
    """One wake-up."""
    changed = []
    client = postbell.Client(
        BROKER,
        USER,
        DEVICE,
        PASSWORD,
        PORT,
        postbell.tls(open(CA, "rb").read()) if CA else None,
        network=WIFI[0],
        path="/postbell.state",
        show=lambda mail_id, _header: changed.append(mail_id),
        vanish=lambda mail_id, _shown: changed.append(mail_id),
        most=200,
        gone=1000,
    )
    trouble = ""
    if machine.wake_reason() == machine.PIN_WAKE:
        client.seen(*[mail_id for mail_id, header in client.journal.headers(4) if header])
    try:
        if connected():
            client.fetch(FETCH_MS)
        client.close()
    except (postbell.RefusedError, postbell.StorageError) as error:
        trouble = "refused: " + str(error) if isinstance(error, postbell.RefusedError) else "flash: " + str(error)
    network.WLAN(network.STA_IF).active(False)
    if changed or trouble:
        draw(client, trouble)
    button = machine.Pin(BUTTON, machine.Pin.IN, machine.Pin.PULL_UP)
    esp32.wake_on_ext0(button, esp32.WAKEUP_ALL_LOW)
    machine.deepsleep(EVERY_MIN * 60_000)


if __name__ == "__main__":
    main()
