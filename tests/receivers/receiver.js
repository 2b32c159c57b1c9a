// Receives wismo's webhooks. Run it with: PORT=8000 SECRET=whsec_... node receiver.js
const { createHmac, timingSafeEqual } = require("node:crypto");
const { createServer } = require("node:http");

const key = Buffer.from(process.env.SECRET.replace(/^whsec_/, ""), "base64");
const same = (a, b) => a.length === b.length && timingSafeEqual(a, b);

const server = createServer(async (request, response) => {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const { "webhook-id": id = "", "webhook-timestamp": sent = "", "webhook-signature": given = "" } = request.headers;
  const signed = createHmac("sha256", key).update(`${id}.${sent}.`).update(Buffer.concat(pieces)).digest("base64");
  const fresh = /^\d+$/.test(sent) && Math.abs(Date.now() / 1000 - Number(sent)) <= 300;
  const good = fresh && given.split(" ").some((one) => same(Buffer.from(one), Buffer.from(`v1,${signed}`)));
  console.log(good ? `verified ${id}` : "refused");
  response.writeHead(good ? 204 : 401).end();
});
server.listen(Number(process.env.PORT), "127.0.0.1", () => console.log("listening on", server.address().port));
