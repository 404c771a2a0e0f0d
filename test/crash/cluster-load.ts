import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

const EVENTS = 5
const SENDERS = 6
const PRODUCTS = 50
/** A gateway answers within its own deadline of 10 s. */
const ANSWER_MS_MAX = 12_000
const RESEND_MS = 50
/** Between an answer and the next request of a sender, so that a small machine has time left for the failover itself. */
const THINK_MS = 200
/** A request without an answer for so long has failed. */
const PATIENCE_MS = 60_000

export interface ClusterReport {
  /** The ids of the events of every answered request. */
  acknowledged: string[]
  requests: number
  /** Attempts that were sent again at the other address. */
  resent: number
  /** Requests that were never answered. */
  failed: string[]
  /** Why attempts were sent again, with their numbers. */
  reasons: Record<string, number>
  longestAnswerMs: number
  /** The longest time in which no request was answered. */
  longestPauseMs: number
}

/** A request that has no answer yet. */
export interface WaitingRequest {
  key: string
  ms: number
  /** What its attempts got. */
  problems: string[]
}

export interface ClusterLoad {
  answered: () => number
  waiting: () => WaitingRequest[]
  /** The longest pause, and the longest answer, since the last call of this function. */
  longest: () => { pauseMs: number; answerMs: number }
  stop: () => Promise<ClusterReport>
}

/**
 * Senders as docs/cluster.md describes clients: each request has an Idempotency-Key, and goes with it to the other gateway when it gets no
 * answer, or one of 500 and more.
 */
export function startClusterLoad(gatewayUrls: readonly string[]): ClusterLoad {
  const report: ClusterReport = {
    ...{ acknowledged: [], requests: 0, resent: 0, failed: [], reasons: {}, longestAnswerMs: 0, longestPauseMs: 0 },
  }
  let isOver = false
  let lastMs = performance.now()
  let [pauseMs, answerMs] = [0, 0]
  const open = new Map<string, { startedMs: number; problems: string[] }>()
  const answered = (tookMs: number) => {
    const gapMs = performance.now() - lastMs
    pauseMs = Math.max(pauseMs, gapMs)
    answerMs = Math.max(answerMs, tookMs)
    report.longestPauseMs = Math.max(report.longestPauseMs, gapMs)
    report.longestAnswerMs = Math.max(report.longestAnswerMs, tookMs)
    report.requests += 1
    lastMs = performance.now()
  }
  const attempt = async (url: string, key: string, body: string): Promise<string | undefined> => {
    const headers = { 'content-type': 'application/json', 'idempotency-key': key }
    try {
      const signal = AbortSignal.timeout(ANSWER_MS_MAX)
      const answer = await fetch(`${url}/api/v1/analytic/interaction`, { method: 'POST', headers, body, signal })
      const text = await answer.text()
      return answer.ok ? undefined : `${answer.status} ${text}`.slice(0, 160)
    } catch (error) {
      return String((error as Error).cause ?? error).slice(0, 160)
    }
  }
  const request = async (number: number) => {
    const [key, events] = [randomUUID(), Array.from({ length: EVENTS }, view)]
    const body = JSON.stringify({ interactions: events })
    const [startedMs, problems] = [performance.now(), [] as string[]]
    open.set(key, { startedMs, problems })
    for (let tries = 0; ; tries++) {
      const problem = await attempt(gatewayUrls[(number + tries) % gatewayUrls.length]!, key, body)
      const tookMs = performance.now() - startedMs
      if (problem === undefined) {
        open.delete(key)
        answered(tookMs)
        report.acknowledged.push(...events.map(({ event_id: id }) => id))
        return
      }
      problems.push(problem)
      report.reasons[problem] = (report.reasons[problem] ?? 0) + 1
      if (tookMs > PATIENCE_MS) {
        open.delete(key)
        report.failed.push(`${key}: ${problem}`)
        return
      }
      report.resent += 1
      await sleep(RESEND_MS)
    }
  }
  const sender = async (number: number) => {
    for (let n = number; !isOver; n++) {
      await request(n)
      await sleep(THINK_MS)
    }
  }
  const senders = Array.from({ length: SENDERS }, (_, number) => sender(number))
  return {
    answered: () => report.requests,
    waiting: () => [...open].map(([key, { startedMs, problems }]) => ({ key, ms: performance.now() - startedMs, problems })),
    longest: () => {
      const longest = { pauseMs: Math.max(pauseMs, performance.now() - lastMs), answerMs }
      pauseMs = answerMs = 0
      return longest
    },
    stop: async () => {
      isOver = true
      await Promise.all(senders)
      return report
    },
  }
}

function view() {
  return {
    event_id: randomUUID(),
    occurred_at: new Date().toISOString(),
    account_id: `account-${Math.floor(Math.random() * 20)}`,
    event_type: 'view',
    ref_type: 'Product',
    ref_id: `product-${Math.floor(Math.random() * PRODUCTS)}`,
  }
}
