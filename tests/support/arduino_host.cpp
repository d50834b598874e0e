// What the Arduino sketch is made of, on a computer: reads orders, one a line, and answers each with a line.
//
//   header|digest|reply HEX        the decoded payload, or `version` or `malformed`
//   msg ID RETAINED HEX NOW        a payload of msg/<id> (HEX `-` is empty, `!` too long to be read)
//   box HEX NOW, check NOW, subscribed NOW, resumed NOW
//                                  for each of these: what was shown since, live ids, agreement, healing
//   tap HEX                        the events that these octets make

#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "postbell.h"

using namespace postbell;

static std::vector<uint8_t> octets(const std::string &hex) {
  std::vector<uint8_t> data;
  for (size_t at = 0; at + 1 < hex.size(); at += 2) data.push_back(static_cast<uint8_t>(std::stoi(hex.substr(at, 2), nullptr, 16)));
  return data;
}

struct Paper : Screen {
  std::string shown;
  void show(uint64_t id, const Header &) override {
    char text[10];
    idText(id, text);
    shown += std::string(text) + ",";
  }
  void vanish(uint64_t, bool) override {}
  void record(uint64_t, uint8_t) override {}
};

static void decode(const std::string &what, const std::vector<uint8_t> &data) {
  Verdict verdict;
  if (what == "header") {
    Header one;
    verdict = decodeHeader(data.data(), data.size(), one);
    if (verdict == Verdict::OK)
      printf("%llu\t%s\t%s\t%s\t%s\t%llu\t%s\t%s\n", static_cast<unsigned long long>(one.flags), one.name, one.address, one.subject,
             one.snippet, static_cast<unsigned long long>(one.size), one.detail, one.dated ? std::to_string(one.date).c_str() : "None");
  } else if (what == "digest") {
    Digest one;
    verdict = decodeDigest(data.data(), data.size(), one);
    char text[10] = "";
    if (verdict == Verdict::OK && one.newest != NO_ID) idText(one.newest, text);
    if (verdict == Verdict::OK) printf("%u\t%u\t%s\n", one.live, one.check, text);
  } else {
    Reply one;
    verdict = decodeReply(data.data(), data.size(), one);
    if (verdict == Verdict::OK)
      printf("%u\t%llu\t%llu\t%llu\t%u\t%s\n", one.request, static_cast<unsigned long long>(one.status),
             static_cast<unsigned long long>(one.offset), static_cast<unsigned long long>(one.total), one.status ? 0 : one.size, one.text);
  }
  if (verdict != Verdict::OK) puts(verdict == Verdict::VERSION ? "version" : "malformed");
}

static void listen(Tap &tap, const std::vector<uint8_t> &data) {
  for (uint8_t octet : data) {
    Tap::Event event = tap.see(octet);
    if (event == Tap::Event::CONNACK) printf("connack %d %d;", tap.present, tap.code);
    if (event == Tap::Event::PUBLISH) printf("publish %s %d %d %d;", tap.topic, tap.packetId, tap.retained, tap.tooLong);
    if (event == Tap::Event::SUBACK) printf("suback %d %d;", tap.packetId, tap.code);
    if (event == Tap::Event::PINGRESP) printf("pingresp;");
    if (event == Tap::Event::OTHER) printf("other;");
  }
  puts("");
}

int main() {
  Tap tap;
  Memory *memory = nullptr;
  Paper *paper = nullptr;
  Box *box = nullptr;
  std::string what, hex, id;
  int retained;
  uint32_t now = 0;
  while (std::cin >> what) {
    bool healing = false;
    if (what == "tap") {
      std::cin >> hex;
      listen(tap, octets(hex));
      continue;
    }
    if (what == "header" || what == "digest" || what == "reply") {
      std::cin >> hex;
      decode(what, octets(hex == "-" ? "" : hex));
      continue;
    }
    if (what == "new") {
      delete box, delete paper, delete memory;
      memory = new Memory, paper = new Paper, box = new Box(*memory, *paper);
    } else if (what == "msg") {
      std::cin >> id >> retained >> hex >> now;
      std::vector<uint8_t> data = octets(hex.size() < 2 ? "" : hex);
      data.reserve(1);
      box->header(idNumber(id.data(), id.size()), hex == "!" ? nullptr : data.data(), data.size(), retained, now);
    } else if (what == "box") {
      std::cin >> hex >> now;
      std::vector<uint8_t> data = octets(hex);
      box->digest(data.data(), data.size(), now);
    } else {
      std::cin >> now;
      if (what == "check") healing = box->check(now);
      if (what == "subscribed") box->subscribed(now);
      if (what == "resumed") box->resumed(now);
    }
    printf("%s %u %u %d %d\n", paper->shown.empty() ? "-" : paper->shown.c_str(), memory->live, memory->liveCheck, box->agrees(), healing);
    paper->shown.clear();
  }
  delete box, delete paper, delete memory;
}
