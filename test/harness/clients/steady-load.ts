import { randomUUID } from 'node:crypto'

const EVENTS = 5
const CONNECTIONS = 8

export interface SteadyLoad {
  /** Requests that were answered so far. */
  answered: () => number
  /** Ends the load and waits for open requests. */
  stop: () => Promise<{ accepted: number; failures: string[] }>
}

/** Sends new events, one request after the other on each connection. A request is never repeated. */
export function startSteadyLoad(gatewayUrl: string, key?: string): SteadyLoad {
  const failures: string[] = []
  let isOver = false
  let answered = 0
  let accepted = 0
  const send = async () => {
    const body = JSON.stringify({ interactions: Array.from({ length: EVENTS }, purchase) })
    const headers = { 'content-type': 'application/json', ...(key !== undefined && { authorization: `Bearer ${key}` }) }
    const answer = await fetch(`${gatewayUrl}/api/v1/analytic/interaction`, { method: 'POST', headers, body })
    const text = await answer.text()
    if (answer.status !== 200) throw new Error(`${answer.status} ${text}`)
    accepted += (JSON.parse(text) as { data: { accepted: number } }).data.accepted
    answered++
  }
  const connection = async () => {
    while (!isOver) await send().catch((error: unknown) => failures.push(String((error as Error).cause ?? error)))
  }
  const connections = Array.from({ length: CONNECTIONS }, connection)
  return {
    answered: () => answered,
    stop: async () => {
      isOver = true
      await Promise.all(connections)
      return { accepted, failures }
    },
  }
}

function purchase() {
  return {
    event_id: randomUUID(),
    occurred_at: new Date().toISOString(),
    account_id: 'ada',
    event_type: 'purchase',
    ref_type: 'Product',
    ref_id: `p-${Math.floor(Math.random() * 20)}`,
  }
}
