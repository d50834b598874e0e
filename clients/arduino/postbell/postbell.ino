// Postbell on an ESP32 with the Arduino core and PubSubClient 2.8: new mail on the serial port; the button says "seen".
//
// PubSubClient keeps the connection, hands over what comes and acknowledges it when `received` returns, which is when
// it is in flash. Four things it cannot do are done by `Wire`, the connection that it is given: it hides whether the
// session was present, RETAIN, SUBACK and PINGRESP; it drops what is longer than its buffer without a PUBACK, so that
// a broker which has 64 of those in flight sends nothing more; it publishes with QoS 0 only; and its ping is its
// keepalive. So three kinds of packets are written here: SUBSCRIBE, PUBLISH with QoS 1, and PINGREQ.

#include <LittleFS.h>
#include <PubSubClient.h>
#include <WiFi.h>
#include <WiFiClientSecure.h>

#include "postbell.h"

using namespace postbell;

const char *WIFI_NAME = "ssid", *WIFI_PASSWORD = "password";
const char *BROKER = "mail.example.org", *ROOT = "mail";
const uint16_t PORT = 8883;
const char *USER = "alice", *DEVICE = "board", *PASSWORD = "what postbell device add printed";
const char *CA = "-----BEGIN CERTIFICATE-----\n...\n-----END CERTIFICATE-----\n";
const uint8_t BUTTON = 0;

const char *STATE = "/postbell.state", *FRESH = "/postbell.new", *CONFIRMED = "/postbell.sub", *INTERVAL = "/postbell.idle";
const size_t STATE_BYTES = 16384;  // then the file is written anew
const int SEEN = 20;               // ids in one request

WiFiClientSecure net;
Tap tap;
Memory memory;
Keepalive keepalive;
File state;
bool up = false, healthy = true, wanting = true;
uint16_t packetId = 0x8000, subscribeId = 0;  // PubSubClient's own are small
uint32_t requestId, seenRequest = 0, seenDue = 0, tryAt = 0, connectedAt = 0;
int tries = 0, refusals = 0;
int32_t suspect = -1;
uint64_t asked[SEEN];
int askedCount = 0;

// --- flash: records of seven octets, appended, never changed; rewritten when there are too many ----------------------

void write7(File &file, uint64_t id, uint8_t marks) {
  uint8_t record[7];
  uint64_t value = id << 3 | marks;
  uint8_t check = 0x5A;
  for (int place = 0; place < 6; place++) check ^= record[place] = static_cast<uint8_t>(value >> (8 * place));
  record[6] = check;
  if (file.write(record, 7) != 7) healthy = false;
}

void rewrite() {
  state.close();
  File fresh = LittleFS.open(FRESH, "w");
  for (uint8_t live = 0; live < 2; live++)
    for (int slot = 0; slot < Memory::SIZE; slot++) {
      uint64_t id = memory.at(slot, KNOWN | (live ? LIVE : 0), live ? 0 : LIVE);
      if (id != NO_ID) write7(fresh, id, memory.get(id) & KEPT);
    }
  fresh.close();
  if (healthy) LittleFS.rename(FRESH, STATE);
  state = LittleFS.open(STATE, "a");
}

void load() {
  bool whole = true;
  File file = LittleFS.open(STATE, "r");
  uint8_t record[7];
  while (file && whole) {
    size_t got = file.read(record, 7);
    if (!got) break;
    uint64_t value = 0;
    uint8_t check = 0x5A;
    for (int place = 0; place < 6; place++) check ^= record[place], value |= static_cast<uint64_t>(record[place]) << (8 * place);
    whole = got == 7 && check == record[6];
    uint8_t marks = value & KEPT;
    if (whole && (!(marks & LIVE) || memory.live < MOST)) memory.change(value >> 3, marks, KEPT);
  }
  file.close();
  state = LittleFS.open(STATE, "a");
  if (!whole) rewrite();
}

String readSmall(const char *path) {
  File file = LittleFS.open(path, "r");
  return file ? file.readString() : String();
}

void writeSmall(const char *path, const String &text) {
  File file = LittleFS.open(path, "w");
  if (!file || file.print(text) != text.length()) healthy = false;
}

// --- the screen --------------------------------------------------------------------------------------------------

struct Serials : Screen {
  void show(uint64_t, const Header &header) override {
    Serial.printf("%s%s: %s - %s\n", header.flags & 2048 ? "" : "\a", header.name[0] ? header.name : header.address, header.subject,
                  header.snippet);
  }
  void vanish(uint64_t, bool shown) override {
    if (shown) Serial.printf("%u unread\n", memory.live);
  }
  void record(uint64_t id, uint8_t marks) override { write7(state, id, marks); }
} screen;

Box box(memory, screen);

// --- packets -----------------------------------------------------------------------------------------------------

struct Packet {
  uint8_t data[BUFFER_BYTES];
  size_t size = 5;  // the head goes in front

  void octet(uint8_t value) {
    if (size < sizeof data) data[size++] = value;
  }
  void number(uint16_t value) { octet(value >> 8), octet(value & 255); }
  void raw(const char *text) {
    while (*text) octet(static_cast<uint8_t>(*text++));
  }
  void string(const String &text) { number(static_cast<uint16_t>(text.length())), raw(text.c_str()); }
  void mp(uint32_t value) {
    octet(0xCE), number(value >> 16), number(value & 0xFFFF);
  }
  void mp(const char *text) { octet(0xA0 | strlen(text)), raw(text); }  // up to 31 octets

  bool send(Client &client, uint8_t first) {
    uint32_t length = size - 5;
    size_t at = length < 128 ? 3 : 2;
    data[at] = first;
    if (length < 128) data[4] = static_cast<uint8_t>(length);
    else data[3] = static_cast<uint8_t>(length | 128), data[4] = static_cast<uint8_t>(length >> 7);
    bool done = client.write(data + at, size - at) == size - at;
    keepalive.sent(millis(), first == 0xC0);
    return done;
  }
} packet;  // one at a time: an ESP32's stack is small

String topic(const char *rest) { return String(ROOT) + "/" + USER + "/" + rest; }
String replies() { return topic("re/") + DEVICE; }
String subscription() { return String(BROKER) + ":" + PORT + " " + USER + "." + DEVICE + " " + ROOT; }
uint16_t nextId() { return packetId = packetId == 0xFFFF ? 0x8000 : packetId + 1; }

void ping() {
  packet.size = 5;
  packet.send(net, 0xC0);
}

uint16_t subscribe(bool all) {
  packet.size = 5;
  uint16_t id = nextId();
  packet.number(id);
  if (all) packet.string(topic("msg/+")), packet.octet(1);
  packet.string(topic("box")), packet.octet(1);
  packet.string(replies()), packet.octet(1);
  packet.send(net, 0x82);
  return id;
}

void askSeen() {
  askedCount = 0;
  for (int slot = 0; slot < Memory::SIZE && askedCount < SEEN; slot++) {
    uint64_t id = memory.at(slot, LIVE | WANTED);
    if (id != NO_ID) asked[askedCount++] = id;
  }
  wanting = askedCount;
  if (!wanting) return;
  if (keepalive.idle(millis()) >= 30) ping();  // a request must not hide that the connection is dead
  packet.size = 5;
  packet.string(topic("do/") + DEVICE);
  packet.number(nextId());
  packet.octet(0xDC), packet.number(static_cast<uint16_t>(3 + askedCount));
  packet.octet(1), packet.mp(seenRequest = ++requestId), packet.mp("seen");
  for (int place = 0; place < askedCount; place++) {
    char text[10];
    idText(asked[place], text);
    packet.mp(text);
  }
  packet.send(net, 0x32);
  seenDue = millis() + REPLY_MS;
}

void answered(const Reply &reply) {
  if (reply.request != seenRequest) return;
  seenRequest = 0;
  bool later = reply.status == 5 || reply.status == 6;
  seenDue = millis() + (later ? REPLY_MS : 0);
  if (later) return;
  if (reply.status) Serial.printf("seen: %s\n", reply.text);
  for (int place = 0; place < askedCount; place++)
    if (memory.get(asked[place]) & WANTED) screen.record(asked[place], memory.change(asked[place], 0, WANTED) & KEPT);
}

// `payload` is null if it was too long. On record when this returns, or the board starts anew before it is acknowledged.
void received(const char *name, const uint8_t *payload, size_t size) {
  String base = topic("");
  uint32_t now = millis();
  if (strncmp(name, base.c_str(), base.length())) return;
  const char *rest = name + base.length();
  Verdict verdict = Verdict::OK;
  if (!strncmp(rest, "msg/", 4)) {
    uint64_t id = idNumber(rest + 4, strlen(rest + 4));
    if (id != NO_ID) box.header(id, payload, size, tap.retained, now);
  } else if (payload && !strcmp(rest, "box")) {
    verdict = box.digest(payload, size, now);
  } else if (payload && replies() == name) {
    Reply reply;
    verdict = decodeReply(payload, size, reply);
    if (verdict == Verdict::OK) answered(reply);
  }
  if (verdict == Verdict::VERSION) Serial.println("skipped: this sketch may be too old");
  state.flush();
  if (!healthy) ESP.restart();
  tries = 0;
}

// --- what PubSubClient talks to -----------------------------------------------------------------------------------

class Wire : public Client {
 public:
  int connect(IPAddress ip, uint16_t port) override { return tap.reset(), net.connect(ip, port); }
  int connect(const char *host, uint16_t port) override { return tap.reset(), net.connect(host, port); }
  size_t write(uint8_t octet) override { return write(&octet, 1); }
  size_t write(const uint8_t *data, size_t size) override {
    keepalive.sent(millis(), false);
    return net.write(data, size);
  }
  int available() override { return net.available(); }
  int read() override {
    int octet = net.read();
    if (octet >= 0) see(static_cast<uint8_t>(octet));
    return octet;
  }
  int read(uint8_t *data, size_t size) override {
    int got = net.read(data, size);
    for (int place = 0; place < got; place++) see(data[place]);
    return got;
  }
  int peek() override { return net.peek(); }
  void flush() override { net.flush(); }
  void stop() override { net.stop(); }
  uint8_t connected() override { return net.connected(); }
  operator bool() override { return static_cast<bool>(net); }

 private:
  void see(uint8_t octet) {
    Tap::Event event = tap.see(octet);
    if (event == Tap::Event::NONE) return;
    keepalive.heard(millis(), event == Tap::Event::PINGRESP);
    if (event == Tap::Event::SUBACK) {
      if (tap.code & 128) Serial.println("the broker refuses the device's own topics");
      else if (tap.packetId == subscribeId) writeSmall(CONFIRMED, subscription());
    } else if (event == Tap::Event::PINGRESP) {
      remember();
    } else if (event == Tap::Event::PUBLISH && tap.tooLong) {
      received(tap.topic, nullptr, 0);
      uint8_t puback[4] = {0x40, 2, static_cast<uint8_t>(tap.packetId >> 8), static_cast<uint8_t>(tap.packetId)};
      if (tap.packetId) write(puback, 4);
    }
  }

  void remember() {  // what the keepalive found, when it differs by a twentieth
    int before = readSmall(INTERVAL).toInt();
    if (abs(keepalive.low - before) * 20 > before) writeSmall(INTERVAL, String(keepalive.low) + " " + keepalive.high);
  }
} wire;

PubSubClient mqtt(wire);

// --- the connection -------------------------------------------------------------------------------------------------

void lost() {
  suspect = up ? keepalive.suspect : suspect;
  if (up && millis() - connectedAt >= 20000) tries = 0;
  up = false;
  net.stop();
  uint32_t wait = 250u << (tries < 7 ? tries : 7);
  if (wait > 30000) wait = 30000;
  tryAt = millis() + wait - random(wait / 2);
  tries++;
}

void connect() {
  String id = String(USER) + ":" + DEVICE, login = String(USER) + "." + DEVICE;  // NATS refuses a dot in a client id
  mqtt.setKeepAlive(CEILING_S);
  if (!mqtt.connect(id.c_str(), login.c_str(), PASSWORD, nullptr, 0, false, nullptr, false)) {
    if ((mqtt.state() == 4 || mqtt.state() == 5) && ++refusals == 5) {
      Serial.println("the broker refuses the login");
      ESP.deepSleep(0);
    }
    return lost();
  }
  mqtt.setKeepAlive(0xFFFF);  // pings are ours
  if (suspect >= 0 && tries == 1) keepalive.died(static_cast<uint32_t>(suspect));  // the network is there: it died of idleness
  suspect = -1, refusals = 0, up = true, connectedAt = seenDue = millis();
  keepalive.connected(millis());
  box.resumed(millis());
  if (tap.present && readSmall(CONFIRMED) == subscription()) {
    subscribe(false);
    return;
  }
  LittleFS.remove(CONFIRMED);  // before the broker hears of any filter: from then on its session looks whole
  box.subscribed(millis());
  subscribeId = subscribe(true);
}

void setup() {
  Serial.begin(115200);
  pinMode(BUTTON, INPUT_PULLUP);
  LittleFS.begin(true);
  load();
  String found = readSmall(INTERVAL);
  keepalive.low = static_cast<uint16_t>(found.toInt());
  keepalive.high = static_cast<uint16_t>(found.substring(found.indexOf(' ') + 1).toInt());
  requestId = esp_random();
  WiFi.begin(WIFI_NAME, WIFI_PASSWORD);
  net.setCACert(CA);
  mqtt.setServer(BROKER, PORT);
  mqtt.setSocketTimeout(10);
  mqtt.setBufferSize(BUFFER_BYTES);
  mqtt.setCallback([](char *name, uint8_t *payload, unsigned int size) { received(name, payload, size); });
}

void loop() {
  uint32_t now = millis();
  if (!up) {
    if (WiFi.status() == WL_CONNECTED && static_cast<int32_t>(now - tryAt) >= 0) connect();
    delay(10);
    return;
  }
  if (!mqtt.loop() || keepalive.dead(now)) return lost();
  if (keepalive.pingDue(now)) ping();
  if (box.check(now)) {
    box.subscribed(now);
    subscribe(true);
  }
  if (digitalRead(BUTTON) == LOW) {
    for (int slot = 0; slot < Memory::SIZE; slot++) {
      uint64_t id = memory.at(slot, LIVE | SHOWN, WANTED);
      if (id != NO_ID) screen.record(id, memory.change(id, WANTED) & KEPT), wanting = true;
    }
    state.flush();
  }
  if (wanting && static_cast<int32_t>(now - seenDue) >= 0) askSeen();
  if (state.size() > STATE_BYTES) rewrite();
  delay(5);
}
