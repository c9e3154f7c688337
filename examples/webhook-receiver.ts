/* eslint-disable @typescript-eslint/no-misused-promises, @typescript-eslint/restrict-template-expressions -- as short as docs/events.md shows it */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const key = Buffer.from((process.env.WEBHOOK_SECRET ?? '').replace('whsec_', ''), 'base64');
const seen = new Set<unknown>(); // with several processes: a table with a unique column
createServer(async (request, response) => {
  const body = (await request.setEncoding('utf8').toArray()).join('');
  const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': sent } = request.headers;
  const signature = `v1,${createHmac('sha256', key).update(`${id}.${at}.${body}`).digest('base64')}`;
  const [given, right] = [Buffer.from(String(sent)), Buffer.from(signature)];
  const isFresh = Math.abs(Date.now() / 1_000 - Number(at)) < 300;
  if (given.length !== right.length || !timingSafeEqual(given, right) || !isFresh) return response.writeHead(401).end();
  const { type, data } = JSON.parse(body);
  if (!seen.has(id)) console.log(type, data.name); // here: load the secrets again
  seen.add(id);
  return response.writeHead(204).end();
}).listen(Number(process.env.PORT ?? 8080));
