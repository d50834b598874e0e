// What this client refuses to read (docs/protocol.md, "MessagePack").

/** A payload that is not read. `kind` is "version": of another version, skip it and say so once; or "malformed". */
export class ContractError extends Error {
  constructor(kind, message) {
    super(message);
    this.name = "ContractError";
    this.kind = kind;
  }
}

/** No version of the contract could have written it. */
export function malformed(message) {
  throw new ContractError("malformed", message);
}
