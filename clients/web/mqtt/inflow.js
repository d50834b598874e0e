// What comes over a connection: one after the other, what waits is recorded together, and then acknowledged in its order.

/**
 * `received(messages)` is a promise that they are on record; `acknowledge(packetId)` is called behind it, unless that connection is
 * gone by then; `failed(error)` where it was rejected.
 */
export class Inflow {
  #received;
  #acknowledge;
  #failed;
  #connection = null;
  #waiting = [];
  #busy = false;

  constructor({ received, acknowledge, failed }) {
    this.#received = received;
    this.#acknowledge = acknowledge;
    this.#failed = failed;
  }

  /** It comes over this connection from now on, or over none: whatever came before will come again. */
  over(connection) {
    this.#connection = connection;
    this.#waiting = [];
  }

  add(message) {
    this.#waiting.push(message);
    void this.#drain(this.#connection);
  }

  async #drain(connection) {
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#waiting.length) {
        const messages = this.#waiting.splice(0);
        await this.#received(messages);
        if (connection !== this.#connection) break;
        for (const { qos, packetId } of messages) if (qos) this.#acknowledge(packetId);
      }
    } catch (error) {
      if (connection === this.#connection) this.#failed(error);
    } finally {
      this.#busy = false;
      if (this.#connection && this.#connection !== connection && this.#waiting.length) void this.#drain(this.#connection);
    }
  }
}
