import { expect, test } from 'vitest'
import { until } from '../../src/main/embedded/until.ts'
import { rawConnection, statusesIn } from '../harness/clients/raw-request.ts'
import { offlineGateway } from '../harness/servers/offline-gateway.ts'

const BEGIN = 'GET /health HTTP/1.1\r\nhost: localhost\r\n'
const headers = (count: number, length: number) =>
  Array.from({ length: count }, (_, n) => `x${n}: ${'y'.repeat(length)}\r\n`).join('')
const REFUSAL =
  '"code":"invalid_request","message":"the request has more than 16 KiB of address and headers, or more than 100 headers"'

/** What the gateway answers before it closes the connection. */
async function answerTo(port: number, sent: string): Promise<string> {
  const { send, closed } = await rawConnection(port)
  await send(sent)
  return closed()
}

test('heads that do not end are refused when they are over 16 KiB, on hundreds of connections', async () => {
  await using gateway = await offlineGateway()
  const port = await gateway.listen()
  const answers = await Promise.all(Array.from({ length: 300 }, () => answerTo(port, BEGIN + headers(1_000, 100))))
  // A connection that is reset while the client still sends may lose its answer.
  for (const answer of answers) expect(answer === '' || (answer.includes(' 431 ') && answer.includes(REFUSAL))).toBe(true)
  expect(answers.some((answer) => answer.includes(REFUSAL))).toBe(true)
  expect(gateway.app.server.headersTimeout).toBeLessThanOrEqual(10_000)
})

test.for([
  ['an address', `GET /${'a'.repeat(17_000)} HTTP/1.1\r\nhost: localhost\r\n\r\n`],
  ['a key', `${BEGIN}authorization: Bearer ${'f'.repeat(17_000)}\r\n\r\n`],
  ['101 headers', `${BEGIN}${headers(100, 1)}\r\n`],
  ['1,000 empty headers', `${BEGIN}${'a:\r\n'.repeat(1_000)}\r\n`],
] as const)('%s beyond the limit is answered 431 with a sentence, and the connection closed', async ([_what, sent]) => {
  await using gateway = await offlineGateway()
  const answer = await answerTo(await gateway.listen(), sent)
  expect(statusesIn(answer)).toEqual([431])
  expect(answer).toContain(REFUSAL)
})

test('a request with 100 headers of 15 KB is answered', async () => {
  await using gateway = await offlineGateway()
  const { send, received } = await rawConnection(await gateway.listen())
  await send(`${BEGIN}${headers(99, 150)}\r\n`)
  expect(await until(async () => statusesIn(received()).length === 1, 10_000)).toBe(true)
  expect(statusesIn(received())).toEqual([200])
})

test('a refusal for headers comes after the answers to earlier requests of its connection', async () => {
  await using gateway = await offlineGateway()
  const answers = await answerTo(
    await gateway.listen(),
    `GET /none HTTP/1.1\r\nhost: localhost\r\n\r\n${BEGIN}${headers(200, 1)}\r\n`,
  )
  expect(statusesIn(answers)).toEqual([404, 431])
})

test('an Origin behind a hundred other headers does not pass for none', async () => {
  await using gateway = await offlineGateway()
  const sent = `GET /api/v1/analytic/popularity/top HTTP/1.1\r\nhost: localhost\r\n${headers(150, 1)}origin: https://elsewhere.example\r\n\r\n`
  expect(statusesIn(await answerTo(await gateway.listen(), sent))).toEqual([431])
})
