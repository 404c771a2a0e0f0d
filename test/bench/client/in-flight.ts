import { Agent, request } from 'node:http'

const ANSWER_MS_MAX = 60_000

/** Works on the items in their order, at most `width` of them concurrently. */
export async function inFlight<T>(
  items: readonly T[],
  width: number,
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < items.length) {
      const index = next++
      await work(items[index]!, index)
    }
  }
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker))
}

export interface Post {
  url: string
  body: Buffer
  idempotencyKey: string
}

/** Sends JSON with node:http: of Node's clients it uses the least CPU of the two cores that are measured. */
export function post(agent: Agent, { url, body, idempotencyKey }: Post): Promise<{ accepted: number }> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': body.length, 'idempotency-key': idempotencyKey }
    const signal = AbortSignal.timeout(ANSWER_MS_MAX)
    const sent = request(url, { method: 'POST', agent, headers, signal }, (answer) => {
      const parts: Buffer[] = []
      answer.on('data', (part: Buffer) => parts.push(part))
      answer.on('error', reject)
      answer.on('end', () => {
        const text = Buffer.concat(parts).toString()
        if (answer.statusCode === 200) resolve(JSON.parse(text) as { accepted: number })
        else reject(new Error(`${answer.statusCode} ${text}`))
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
