// What MQTT's reasons say to a person (docs/protocol.md, "MQTT 5").

const IN_WORDS = new Map([
  [0x80, "unspecified error"], [0x81, "malformed packet"], [0x82, "protocol error"], [0x84, "unsupported version"],
  [0x86, "wrong password"], [0x87, "not authorized"], [0x88, "the broker is unavailable"], [0x89, "the broker is busy"],
  [0x8b, "the broker is shutting down"], [0x8d, "a ping was late"], [0x8e, "another program uses this login"],
  [0x93, "too much at once"], [0x95, "a packet was too large"], [0x97, "the quota is used up"],
  [0x98, "by an administrator"], [0x9f, "too many connections"],
]);
const OLDER = new Map([[1, 0x84], [2, 0x85], [3, 0x88], [4, 0x86], [5, 0x87]]);

export const UNSUPPORTED_VERSION = 0x84, TAKEN_OVER = 0x8e, KEEP_ALIVE_TIMEOUT = 0x8d;

/** The reason that a CONNACK gives: the return codes of 3.1.1 as those of 5. */
export function reasonOf(code) {
  return OLDER.get(code) ?? code;
}

/** Whether the login is refused. */
export function refusesLogin(reason) {
  return reason === 0x86 || reason === 0x87;
}

export function inWords(reason, said = "") {
  const known = IN_WORDS.get(reason) ?? `reason 0x${reason.toString(16)}`;
  return said ? `${known} (${said})` : known;
}
