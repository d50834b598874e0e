// A client by mqtt.js that is told by lines of JSON what to do; the same as tests/support/foreign_client.py.
//
//     node mqttjs_client.mjs URL USERNAME PASSWORD VERSION
import readline from "node:readline";
import mqtt from "mqtt";

const [url, username, password, version] = process.argv.slice(2);
const [user, device] = username.split(".");
const say = (what) => console.log(JSON.stringify(what));

const options = {
  username,
  password,
  clientId: username,
  clean: false,
  protocolVersion: Number(version),
  reconnectPeriod: 0,
  resubscribe: false,
  will: { topic: `mail/${user}/do/${device}`, payload: "gone", qos: 1, retain: false },
};
if (version === "3") options.protocolId = "MQIsdp";
if (version === "5") options.properties = { sessionExpiryInterval: 3600 };

let leaving = false;
const client = mqtt.connect(url, options);
client.on("connect", (connack) => say({ connected: version === "3" ? null : connack.sessionPresent }));
client.on("message", (topic, payload, packet) =>
  say({ topic, payload: payload.toString(), retain: packet.retain, qos: packet.qos }));
client.on("disconnect", (packet) => say({ reason: packet.reasonCode }));
client.on("error", (error) => say({ error: String(error) }));
client.on("close", () => leaving || say({ gone: "closed" }));

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const order = JSON.parse(line);
  if (order.do === "subscribe") {
    client.subscribe(order.filter, { qos: 1 }, (error, granted) =>
      say(error ? { error: String(error) } : { subscribed: granted.map((each) => each.qos) }));
  } else if (order.do === "publish") {
    client.publish(order.topic, order.payload, { qos: 1 }, () => say({ published: true }));
  } else {
    leaving = true;
    client.end(false, {}, () => process.exit(0));
  }
});
