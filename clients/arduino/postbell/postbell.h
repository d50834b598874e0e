// The contract of docs/protocol.md for an Arduino: decoder, box, keepalive, and a tap on the wire.
//
// Plain C++11 without Arduino and without the heap. Every bound is a constant; times are milliseconds of
// `millis()`, of which only differences count.

#pragma once

#include <stdint.h>
#include <string.h>

namespace postbell {

constexpr size_t BUFFER_BYTES = 768;   // a payload of 512, its topic and what MQTT adds; PubSubClient's own 256 starves
constexpr int MOST = 128;              // live mails that are kept: the newest
constexpr int GONE = 256;              // vanished mails that are remembered
constexpr int DOUBTFUL = 4;            // headers that wait for a digest to decide
constexpr uint16_t CEILING_S = 1800;   // what CONNECT declares as the keepalive
constexpr uint32_t ANSWER_MS = 20000;  // how long a PINGRESP may take
constexpr uint32_t GRACE_MS = 4000, BUSY_GRACE_MS = 60000, LONGEST_WAIT_MS = 3600000;
constexpr uint32_t REPLY_MS = 10000;  // a request without a reply is sent again after this

// --- ids --------------------------------------------------------------------------------------------

constexpr uint64_t NO_ID = ~0ull;
inline const char *digits() { return "0123456789abcdefghjkmnpqrstvwxyz"; }

inline uint64_t idNumber(const char *text, size_t size) {
  if (size != 9) return NO_ID;
  uint64_t number = 0;
  for (size_t place = 0; place < 9; place++) {
    const char *digit = text[place] ? strchr(digits(), text[place]) : nullptr;
    if (!digit) return NO_ID;
    number = number << 5 | static_cast<uint64_t>(digit - digits());
  }
  return number;
}

inline void idText(uint64_t number, char text[10]) {
  for (int place = 8; place >= 0; place--, number >>= 5) text[place] = digits()[number & 31];
  text[9] = 0;
}

inline uint32_t crc32(uint64_t id) {
  char text[10];
  idText(id, text);
  uint32_t crc = ~0u;
  for (int place = 0; place < 9; place++) {
    crc ^= static_cast<uint8_t>(text[place]);
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
  }
  return ~crc;
}

// --- MessagePack ------------------------------------------------------------------------------------

enum class Kind { NIL, BOOLEAN, INTEGER, TEXT, BYTES, ARRAY, OTHER };
enum class Verdict { OK, VERSION, MALFORMED };

struct Item {
  Kind kind;
  bool negative;
  uint64_t number;      // of an integer: its value, or two's complement if negative
  const uint8_t *data;  // of text and bytes
  uint32_t size;        // of text and bytes; of arrays and maps how many items they hold
};

class Reader {
 public:
  Reader(const uint8_t *data, size_t size) : at_(data), end_(data + size) {}
  bool done() const { return at_ == end_; }

  bool item(Item &item) {
    item = {Kind::OTHER, false, 0, nullptr, 0};
    if (at_ == end_) return false;
    uint8_t first = *at_++;
    if (first < 0x80) return integer(item, first, false);
    if (first >= 0xE0) return integer(item, static_cast<uint64_t>(static_cast<int8_t>(first)), true);
    if (first < 0x90) return item.size = (first & 15) * 2u, true;
    if (first < 0xA0) return item.kind = Kind::ARRAY, item.size = first & 15, true;
    if (first < 0xC0) return bytes(item, Kind::TEXT, first & 31);
    uint64_t length = 0;
    switch (first) {
      case 0xC0: return item.kind = Kind::NIL, true;
      case 0xC1: return false;
      case 0xC2: case 0xC3: return item.kind = Kind::BOOLEAN, true;
      case 0xC4: case 0xC5: case 0xC6: return big(1 << (first - 0xC4), length) && bytes(item, Kind::BYTES, length);
      case 0xC7: case 0xC8: case 0xC9: return big(1 << (first - 0xC7), length) && bytes(item, Kind::OTHER, length + 1);
      case 0xCA: return bytes(item, Kind::OTHER, 4);
      case 0xCB: return bytes(item, Kind::OTHER, 8);
      case 0xCC: case 0xCD: case 0xCE: case 0xCF: return big(1 << (first - 0xCC), length) && integer(item, length, false);
      case 0xD0: case 0xD1: case 0xD2: case 0xD3: {
        int width = 1 << (first - 0xD0);
        if (!big(width, length)) return false;
        int shift = 64 - 8 * width;
        int64_t value = static_cast<int64_t>(length << shift) >> shift;
        return integer(item, static_cast<uint64_t>(value), value < 0);
      }
      case 0xD4: case 0xD5: case 0xD6: case 0xD7: case 0xD8: return bytes(item, Kind::OTHER, (1u << (first - 0xD4)) + 1);
      case 0xD9: case 0xDA: case 0xDB: return big(1 << (first - 0xD9), length) && bytes(item, Kind::TEXT, length);
      case 0xDC: case 0xDD:
        if (!big(2 << (first - 0xDC), length)) return false;
        return item.kind = Kind::ARRAY, item.size = static_cast<uint32_t>(length), true;
      default:
        if (!big(2 << (first - 0xDE), length) || length > 0x7FFFFFFF) return false;
        return item.size = static_cast<uint32_t>(length) * 2, true;
    }
  }

  // One element whatever it holds, without recursion.
  bool element(Item &item) {
    if (!this->item(item)) return false;
    uint64_t inside = item.kind == Kind::ARRAY || (item.kind == Kind::OTHER && !item.data) ? item.size : 0;
    Item other;
    while (inside) {
      if (!this->item(other)) return false;
      if (other.kind == Kind::ARRAY || (other.kind == Kind::OTHER && !other.data)) inside += other.size;
      inside--;
    }
    return true;
  }

 private:
  bool integer(Item &item, uint64_t number, bool negative) {
    item.kind = Kind::INTEGER, item.number = number, item.negative = negative;
    return true;
  }
  bool big(int width, uint64_t &number) {
    if (end_ - at_ < width) return false;
    for (number = 0; width; width--) number = number << 8 | *at_++;
    return true;
  }
  bool bytes(Item &item, Kind kind, uint64_t size) {
    if (size > static_cast<uint64_t>(end_ - at_)) return false;
    item.kind = kind, item.data = at_, item.size = static_cast<uint32_t>(size);
    at_ += size;
    return true;
  }
  const uint8_t *at_, *end_;
};

// The first `known` elements of the array that is the whole payload; what is missing has the kind NIL and `count` says.
inline Verdict unpack(const uint8_t *data, size_t size, Item *items, uint32_t known, uint32_t &count) {
  Reader reader(data, size);
  Item head, other;
  if (!reader.item(head) || head.kind != Kind::ARRAY || !head.size) return Verdict::MALFORMED;
  for (uint32_t place = 0; place < known; place++) items[place] = {Kind::NIL, false, 0, nullptr, 0};
  for (uint32_t place = 0; place < head.size; place++)
    if (!reader.element(place < known ? items[place] : other)) return Verdict::MALFORMED;
  if (!reader.done()) return Verdict::MALFORMED;
  count = head.size < known ? head.size : known;
  bool mine = items[0].kind == Kind::INTEGER && !items[0].negative && items[0].number == 1;
  return mine ? Verdict::OK : Verdict::VERSION;
}

inline bool isUnsigned(const Item &item) { return item.kind == Kind::INTEGER && !item.negative; }

// Text as one line: valid UTF-8, control characters and line breaks replaced by spaces, cut to fit at a character's end.
inline bool line(const Item &item, char *out, size_t room) {
  out[0] = 0;
  if (item.kind != Kind::TEXT) return false;
  const uint8_t *data = item.data;
  size_t used = 0;
  bool full = false;
  for (uint32_t at = 0; at < item.size;) {
    uint8_t first = data[at];
    uint32_t width = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (width > 1) {
      if (first < 0xC2 || first > 0xF4 || at + width > item.size) return false;
      uint8_t second = data[at + 1];
      if (second < (first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80)) return false;
      if (second > (first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF)) return false;
      for (uint32_t place = 2; place < width; place++)
        if ((data[at + place] & 0xC0) != 0x80) return false;
    }
    bool blank = first < 0x20 || first == 0x7F || (first == 0xC2 && data[at + 1] < 0xA0) ||
                 (first == 0xE2 && data[at + 1] == 0x80 && (data[at + 2] | 1) == 0xA9);
    size_t size = blank ? 1 : width;
    full = full || used + size >= room;
    if (!full) {
      if (blank) out[used] = ' ';
      else memcpy(out + used, data + at, width);
      used += size;
    }
    at += width;
  }
  out[used] = 0;
  return true;
}

struct Header {
  uint64_t flags, size;
  char name[64], address[96], subject[160], snippet[256], detail[48];
  bool dated;
  int64_t date;  // seconds since 1970
};

inline Verdict decodeHeader(const uint8_t *data, size_t size, Header &header) {
  static const uint8_t NOTHING[1] = {0};
  Item items[9];
  uint32_t count;
  Verdict verdict = unpack(data, size, items, 9, count);
  if (verdict != Verdict::OK) return verdict;
  for (uint32_t place = count; place < 8; place++)  // trailing defaults
    items[place] = place == 1 || place == 6 ? Item{Kind::INTEGER, false, 0, nullptr, 0} : Item{Kind::TEXT, false, 0, NOTHING, 0};
  bool good = isUnsigned(items[1]) && isUnsigned(items[6]);
  good = line(items[2], header.name, sizeof header.name) && good;
  good = line(items[3], header.address, sizeof header.address) && good;
  good = line(items[4], header.subject, sizeof header.subject) && good;
  good = line(items[5], header.snippet, sizeof header.snippet) && good;
  good = line(items[7], header.detail, sizeof header.detail) && good;
  if (!good || (items[8].kind != Kind::NIL && items[8].kind != Kind::INTEGER)) return Verdict::MALFORMED;
  header.flags = items[1].number, header.size = items[6].number;
  header.date = static_cast<int64_t>(items[8].number);
  header.dated = items[8].kind == Kind::INTEGER && (items[8].negative || header.date >= 0) &&
                 header.date >= -62135596800LL && header.date < 253402300800LL;
  return Verdict::OK;
}

struct Digest {
  uint32_t live, check;
  uint64_t newest;
};

inline Verdict decodeDigest(const uint8_t *data, size_t size, Digest &digest) {
  Item items[4];
  uint32_t count;
  Verdict verdict = unpack(data, size, items, 4, count);
  if (verdict != Verdict::OK) return verdict;
  digest = {0, 0, NO_ID};
  if (count == 1) return Verdict::OK;
  if (count < 4 || !isUnsigned(items[1]) || !isUnsigned(items[2]) || items[2].number >> 32) return Verdict::MALFORMED;
  if (!items[1].number) return Verdict::OK;
  if (items[3].kind != Kind::TEXT) return Verdict::MALFORMED;
  uint64_t newest = idNumber(reinterpret_cast<const char *>(items[3].data), items[3].size);
  if (newest == NO_ID) return Verdict::MALFORMED;
  uint64_t live = items[1].number;
  digest = {live > 0xFFFFFFFF ? 0xFFFFFFFF : static_cast<uint32_t>(live), static_cast<uint32_t>(items[2].number), newest};
  return Verdict::OK;
}

struct Reply {
  uint32_t request;
  uint64_t status, offset, total;
  const uint8_t *bytes;  // of success
  uint32_t size;
  char text[64];  // of failure
};

inline Verdict decodeReply(const uint8_t *data, size_t size, Reply &reply) {
  Item items[6];
  uint32_t count;
  Verdict verdict = unpack(data, size, items, 6, count);
  if (verdict != Verdict::OK) return verdict;
  if (count < 6) return Verdict::MALFORMED;
  for (int place = 1; place < 5; place++)
    if (!isUnsigned(items[place])) return Verdict::MALFORMED;
  reply = {static_cast<uint32_t>(items[1].number), items[2].number, items[3].number, items[4].number, items[5].data, items[5].size, ""};
  if (reply.status) return line(items[5], reply.text, sizeof reply.text) ? Verdict::OK : Verdict::MALFORMED;
  bool fits = items[5].kind == Kind::BYTES && reply.offset <= reply.total && reply.size <= reply.total - reply.offset;
  return fits ? Verdict::OK : Verdict::MALFORMED;
}

// --- what is remembered -----------------------------------------------------------------------------

enum Mark : uint8_t { LIVE = 1, SHOWN = 2, WANTED = 4, KEPT = 7, KNOWN = 8, HEARD = 16, RECENT = 32 };

class Memory {
 public:
  uint32_t live = 0, liveCheck = 0, heard = 0, heardCheck = 0;
  static constexpr int SIZE = MOST + GONE;

  uint8_t get(uint64_t id) const {
    int slot = find(id);
    return slot < 0 ? 0 : marks_[slot];
  }

  uint8_t change(uint64_t id, uint8_t on, uint8_t off = 0) {
    int slot = find(id);
    if (slot < 0) {
      // The hand of a clock: what is live stays, and what vanished since it came by last is spared once.
      for (;; hand_ = (hand_ + 1) % SIZE) {
        if (!(marks_[hand_] & (LIVE | RECENT))) break;
        marks_[hand_] &= ~RECENT;
      }
      slot = hand_;
      hand_ = (hand_ + 1) % SIZE;
      turn(slot, 0);
      ids_[slot] = id;
    }
    return turn(slot, static_cast<uint8_t>((marks_[slot] & ~off) | on | KNOWN));
  }

  // The id in a slot that has these marks and not those, or NO_ID.
  uint64_t at(int slot, uint8_t mask, uint8_t without = 0) const {
    return marks_[slot] && (marks_[slot] & (mask | without)) == mask ? ids_[slot] : NO_ID;
  }

  uint64_t newest(uint8_t mark) const {
    uint64_t best = NO_ID;
    for (int slot = 0; slot < SIZE; slot++) {
      uint64_t id = at(slot, mark);
      if (id != NO_ID && (best == NO_ID || id > best)) best = id;
    }
    return best;
  }

  uint64_t oldest() const {
    uint64_t best = NO_ID;
    for (int slot = 0; slot < SIZE; slot++) {
      uint64_t id = at(slot, LIVE);
      if (id < best) best = id;
    }
    return best;
  }

 private:
  int find(uint64_t id) const {
    for (int slot = 0; slot < SIZE; slot++)
      if (marks_[slot] && ids_[slot] == id) return slot;
    return -1;
  }

  uint8_t turn(int slot, uint8_t marks) {
    uint8_t changed = marks_[slot] ^ marks;
    if (changed & (LIVE | HEARD)) {
      uint32_t check = crc32(ids_[slot]);
      if (changed & LIVE) live += marks & LIVE ? 1 : -1, liveCheck ^= check;
      if (changed & HEARD) heard += marks & HEARD ? 1 : -1, heardCheck ^= check;
    }
    return marks_[slot] = marks;
  }

  uint64_t ids_[SIZE] = {};
  uint8_t marks_[SIZE] = {};
  int hand_ = 0;
};

// --- the box ----------------------------------------------------------------------------------------

// What the sketch does: `show` a mail that was never on the screen, `vanish` one, `record` an id with its marks.
struct Screen {
  virtual void show(uint64_t id, const Header &header) = 0;
  virtual void vanish(uint64_t id, bool shown) = 0;
  virtual void record(uint64_t id, uint8_t marks) = 0;
  virtual ~Screen() {}
};

class Box {
 public:
  Box(Memory &memory, Screen &screen) : memory_(memory), screen_(screen) {}

  // A payload of `msg/<id>`, null if it was too long to be read. It is on record when this returns.
  void header(uint64_t id, const uint8_t *payload, size_t size, bool retained, uint32_t now) {
    quiet_ = now;
    uint8_t marks = memory_.get(id);
    if (payload && !size) {
      forget(id);
      if (marks) memory_.change(id, 0, HEARD);
      if (!marks || marks & LIVE) went(id);
    } else {
      if (marks && !(marks & LIVE) && !retained) {
        doubt(id, payload, size);
      } else {
        forget(id);
        came(id, payload, size);
      }
      if (healing_) memory_.change(id, HEARD);
    }
    compare(now);
  }

  // A payload of `box`.
  Verdict digest(const uint8_t *payload, size_t size, uint32_t now) {
    Digest heard;
    if (!size) return Verdict::OK;
    Verdict verdict = decodeDigest(payload, size, heard);
    if (verdict != Verdict::OK) return verdict;
    digest_ = heard, told_ = digestHeard_ = true, quiet_ = now;
    compare(now);
    if (agrees()) doubtful_ = 0;
    return verdict;
  }

  bool agrees() const {
    if (!told_) return false;
    if (digest_.live > MOST) return memory_.live == MOST;
    return memory_.live == digest_.live && memory_.liveCheck == digest_.check && (!digest_.live || memory_.newest(LIVE) == digest_.newest);
  }

  // Whether all three filters have to be subscribed to again, because the box went astray.
  bool check(uint32_t now) {
    if (agrees()) {
      if (doubtful_ && now - quiet_ >= GRACE_MS) doubtful_ = 0;
      return false;
    }
    if (!told_ && !memory_.live) return false;
    uint32_t wait = healings_ < 10 ? GRACE_MS << healings_ : LONGEST_WAIT_MS;
    if (wait > LONGEST_WAIT_MS) wait = LONGEST_WAIT_MS;
    bool due = now - quiet_ >= wait || now - astray_ >= (wait > BUSY_GRACE_MS ? wait : BUSY_GRACE_MS);
    if (due) healings_++;
    return due;
  }

  void subscribed(uint32_t now) {
    forgetHeard();
    healing_ = true, digestHeard_ = false;
    resumed(now);
  }

  void resumed(uint32_t now) { quiet_ = astray_ = now; }

 private:
  struct Doubt {
    uint64_t id;
    bool read;  // or it was too long
    uint16_t size;
    uint8_t payload[512];
  };

  void doubt(uint64_t id, const uint8_t *payload, size_t size) {
    forget(id);
    if (doubtful_ == DOUBTFUL) return;  // the digest will not agree: all is asked for again
    Doubt &one = doubts_[doubtful_++];
    one.id = id, one.read = payload && size <= sizeof one.payload, one.size = one.read ? static_cast<uint16_t>(size) : 0;
    if (one.read) memcpy(one.payload, payload, one.size);
  }

  void forget(uint64_t id) {
    for (int place = 0; place < doubtful_; place++)
      if (doubts_[place].id == id) doubts_[place--] = doubts_[--doubtful_];
  }

  void came(uint64_t id, const uint8_t *payload, size_t size) {
    uint8_t marks = memory_.get(id);
    if (!(marks & LIVE) && memory_.live >= MOST) {
      uint64_t oldest = memory_.oldest();
      if (id < oldest) return;
      mark(oldest, RECENT, LIVE | WANTED);
    }
    static Header header;
    if (!(marks & SHOWN) && payload && decodeHeader(payload, size, header) == Verdict::OK) {
      screen_.show(id, header);
      mark(id, LIVE | SHOWN, 0);
    } else if (!(marks & LIVE)) {
      mark(id, LIVE, 0);
    }
  }

  void went(uint64_t id) {
    bool shown = memory_.get(id) & SHOWN;
    mark(id, RECENT, LIVE | WANTED | HEARD);
    screen_.vanish(id, shown);
  }

  void mark(uint64_t id, uint8_t on, uint8_t off) { screen_.record(id, memory_.change(id, on, off) & KEPT); }

  void compare(uint32_t now) {
    if (told_ && !agrees()) {
      uint32_t live = memory_.live + doubtful_, check = memory_.liveCheck;
      uint64_t newest = memory_.live ? memory_.newest(LIVE) : 0;
      for (int place = 0; place < doubtful_; place++) {
        check ^= crc32(doubts_[place].id);
        if (doubts_[place].id > newest) newest = doubts_[place].id;
      }
      bool back = doubtful_ && live == digest_.live && check == digest_.check && newest == digest_.newest;
      bool adopt = !back && healing_ && digestHeard_ && memory_.heard == digest_.live && memory_.heardCheck == digest_.check &&
                   (!digest_.live || memory_.newest(HEARD) == digest_.newest);
      for (int place = doubtful_ - 1; place >= 0; place--)
        if (back || (adopt && memory_.get(doubts_[place].id) & HEARD)) {
          const Doubt &one = doubts_[place];
          came(one.id, one.read ? one.payload : nullptr, one.size);
          doubts_[place] = doubts_[--doubtful_];
        }
      for (int slot = 0; adopt && slot < Memory::SIZE; slot++) {
        uint64_t id = memory_.at(slot, LIVE, HEARD);
        if (id != NO_ID) went(id);
      }
    }
    if (agrees()) {
      if (healing_) healing_ = false, forgetHeard();
      healings_ = 0, astray_ = now;
    }
  }

  void forgetHeard() {
    for (int slot = 0; slot < Memory::SIZE; slot++) {
      uint64_t id = memory_.at(slot, HEARD);
      if (id != NO_ID) memory_.change(id, 0, HEARD);
    }
  }

  Memory &memory_;
  Screen &screen_;
  Digest digest_ = {0, 0, NO_ID};
  Doubt doubts_[DOUBTFUL];
  int doubtful_ = 0, healings_ = 0;
  bool told_ = false, digestHeard_ = false, healing_ = false;
  uint32_t quiet_ = 0, astray_ = 0;
};

// --- the keepalive ----------------------------------------------------------------------------------

// The longest interval that the network survives, by search (clients/micropython/postbell.py has the same).
class Keepalive {
 public:
  uint16_t low = 0, high = 0;  // seconds; to be kept for each network
  int32_t suspect = -1;        // the idle seconds before the ping that waits for its answer

  uint16_t interval() {
    if (!high) return low ? (low > 1160 ? 1740 : low * 3 / 2) : 240;
    if (halved_) return low;
    uint16_t near = low / 10 > 30 ? low / 10 : 30;
    if (high - low > near) return (low + high) / 2 > 30 ? (low + high) / 2 : 30;
    if (static_cast<uint32_t>(sinceFound_ / 1000) >= 604800) return high < 1740 ? high : 1740;
    return low > 30 ? low : 30;
  }

  void survived(uint32_t idle) {
    if (idle < low) return;
    halved_ = false;
    low = idle < CEILING_S ? static_cast<uint16_t>(idle) : CEILING_S;
    if (high <= idle) high = 0;
  }

  void died(uint32_t idle) {
    if (idle <= low) low = idle / 2 > 30 ? idle / 2 : 30, halved_ = true;
    if (idle < 30) idle = 30;
    if (!high || idle < high) high = static_cast<uint16_t>(idle);
    sinceFound_ = 0;
  }

  void connected(uint32_t now) { tick(now), traffic_ = now, suspect = -1; }

  void sent(uint32_t now, bool ping) {
    tick(now);
    if (ping && suspect < 0) suspect = static_cast<int32_t>((now - traffic_) / 1000), pinged_ = now;
    traffic_ = now;
  }

  void heard(uint32_t now, bool pong) {
    tick(now);
    if (suspect < 0) survived((now - traffic_) / 1000);
    else if (pong) survived(static_cast<uint32_t>(suspect)), suspect = -1;
    else pinged_ = now;
    traffic_ = now;
  }

  bool pingDue(uint32_t now) { return suspect < 0 && now - traffic_ >= interval() * 1000u; }
  bool dead(uint32_t now) const { return suspect >= 0 && now - pinged_ >= ANSWER_MS; }
  uint32_t idle(uint32_t now) const { return (now - traffic_) / 1000; }

 private:
  void tick(uint32_t now) { sinceFound_ += now - ticked_, ticked_ = now; }
  bool halved_ = false;
  uint32_t traffic_ = 0, pinged_ = 0, ticked_ = 0;
  uint64_t sinceFound_ = 0;
};

// --- the tap ----------------------------------------------------------------------------------------

// Sees what PubSubClient hides: whether the session was present, RETAIN, SUBACK, PINGRESP, and publishes that
// are longer than its buffer, which it drops without a PUBACK: after 64 of them a broker sends nothing more.
class Tap {
 public:
  enum class Event { NONE, CONNACK, PUBLISH, SUBACK, PINGRESP, OTHER };
  bool present = false, retained = false, tooLong = false;
  uint8_t code = 0;
  uint16_t packetId = 0;  // of a PUBLISH of QoS 1 or a SUBACK
  char topic[128];        // of a PUBLISH; longer ones are cut
  uint16_t topicSize = 0;

  void reset() { state_ = 0; }

  // One octet from the broker; the kind of packet that it ends, if it ends one.
  Event see(uint8_t octet) {
    if (state_ == 0) return first_ = octet, length_ = shift_ = 0, total_ = 1, state_ = 1, Event::NONE;
    total_++;
    if (state_ == 1) {
      length_ |= static_cast<uint32_t>(octet & 127) << shift_;
      shift_ += 7;
      if (octet & 128) return Event::NONE;
      state_ = 2, place_ = 0, topicSize = 0, packetId = 0, code = 0;
      if (first_ >> 4 == 3) retained = first_ & 1;
    } else {
      body(octet);
      place_++;
    }
    if (place_ < length_) return Event::NONE;
    state_ = 0;
    tooLong = total_ > BUFFER_BYTES;
    switch (first_ >> 4) {
      case 2: return Event::CONNACK;
      case 3: return Event::PUBLISH;
      case 9: return Event::SUBACK;
      case 13: return Event::PINGRESP;
      default: return Event::OTHER;
    }
  }

 private:
  void body(uint8_t octet) {
    uint8_t kind = first_ >> 4;
    if (kind == 2) {
      if (place_ == 0) present = octet & 1;
      if (place_ == 1) code = octet;
    } else if (kind == 9) {
      if (place_ < 2) packetId = static_cast<uint16_t>(packetId << 8 | octet);
      else code |= octet & 128;
    } else if (kind == 3) {
      if (place_ < 2) {
        topicSize = static_cast<uint16_t>(topicSize << 8 | octet);
      } else if (place_ < 2u + topicSize) {
        if (place_ - 2 < sizeof topic - 1) topic[place_ - 2] = static_cast<char>(octet), topic[place_ - 1] = 0;
      } else if (first_ & 6 && place_ < 4u + topicSize) {
        packetId = static_cast<uint16_t>(packetId << 8 | octet);
      }
    }
  }

  uint8_t first_ = 0, state_ = 0, shift_ = 0;
  uint32_t length_ = 0, place_ = 0, total_ = 0;
};

}  // namespace postbell
