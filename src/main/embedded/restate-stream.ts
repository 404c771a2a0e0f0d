import { setTimeout as sleep } from 'node:timers/promises'
import { openFrom } from '../../ingress/addresses.ts'
import { hasNoLeader, RestateQueryError } from './restate-queries.ts'

const LEADER_MS_MAX = 5_000
const LEADER_POLL_MS = 100
/** Restate reads a hundred thousand invocations in a second, and waits while PostgreSQL is asked about them. */
const STREAM_MS_MAX = 30 * 60_000

/**
 * Runs SQL over Restate's own tables, and gives the rows in pages while they arrive: none of both sides has all rows in memory. `text` has no order and
 * no joins of its own, so Restate reads its table once. @throws when the answer breaks off.
 */
export async function* streamRestate<Row>(adminUrl: string, text: string, rowsMax: number): AsyncGenerator<Row[]> {
  const answer = await openQuery(adminUrl, text)
  const split = rowSplitter()
  const decoder = new TextDecoder()
  let page: Row[] = []
  let isWhole = false
  for await (const chunk of answer.body!) {
    const { rows, isEnded } = split(decoder.decode(chunk, { stream: true }))
    isWhole ||= isEnded
    for (const row of rows) {
      page.push(JSON.parse(row) as Row)
      if (page.length < rowsMax) continue
      yield page
      page = []
    }
  }
  if (!isWhole) throw new TypeError('The answer of Restate broke off', { cause: answer.url })
  if (page.length > 0) yield page
}

async function openQuery(adminUrl: string, text: string): Promise<Response> {
  const init = {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ query: text }),
    signal: AbortSignal.timeout(STREAM_MS_MAX),
  }
  const endMs = performance.now() + LEADER_MS_MAX
  for (;;) {
    const answer = await openFrom(adminUrl, '/query', init)
    if (answer.ok) return answer
    const problem = await answer.text()
    if (!hasNoLeader(problem) || performance.now() > endMs) {
      throw new RestateQueryError(adminUrl, answer.status, problem)
    }
    await sleep(LEADER_POLL_MS)
  }
}

const [QUOTE, ESCAPE, OPEN, CLOSE, END] = ['"', '\\', '{', '}', ']'].map((character) => character.charCodeAt(0)) as [
  number,
  number,
  number,
  number,
  number,
]

/**
 * Cuts `{"rows":[{…},{…}]}` into the texts of its rows, whose values are no objects or lists. A text may contain braces and quotes, as keys of callers do.
 * A call takes what has arrived; `isEnded` says that the list of rows was closed.
 */
export function rowSplitter(): (chunk: string) => { rows: string[]; isEnded: boolean } {
  let [begun, inText, isEscaped, depth, isEnded] = ['', false, false, 0, false]
  return (chunk) => {
    const rows: string[] = []
    let from = depth === 2 ? 0 : chunk.length
    for (let at = 0; at < chunk.length; at++) {
      const code = chunk.charCodeAt(at)
      if (isEscaped) isEscaped = false
      else if (inText) {
        if (code === ESCAPE) isEscaped = true
        else if (code === QUOTE) inText = false
      } else if (code === QUOTE) inText = true
      else if (code === OPEN && ++depth === 2) from = at
      else if (code === CLOSE && depth-- === 2) {
        rows.push(begun + chunk.slice(from, at + 1))
        begun = ''
        from = chunk.length
      } else if (code === END) isEnded = true
    }
    if (depth === 2) begun += chunk.slice(from)
    return { rows, isEnded }
  }
}
