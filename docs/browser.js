// Sends what shoppers do to Footfall. Each event counts once, also when an answer is lost, a page closes or two tabs send it.
//   import { footfall } from '/browser.js' // in a <script type="module"> of a page with https
//   const track = footfall({ url: 'https://footfall.example', key: 'ffp_…' }) // and account_id, session_id, when you know them
//   track('view', 'lamp', { metadata: { from: 'home' } })
const memory = {}
const storage = (use) => {
  try {
    return use(localStorage)
  } catch {
    return use(memory) // It is off, or full.
  }
}
// Each event is an entry of its own: tabs see them all and overwrite none. It stays until Footfall has judged it.
const isEvent = ([name]) => name.startsWith('footfall:')
const byName = ([one], [other]) => (one < other ? -1 : 1)
const unsent = (all = { ...memory, ...storage((stored) => stored) }) => Object.entries(all).filter(isEvent).sort(byName)
const drop = ([name]) => delete memory[name] && storage((stored) => delete stored[name])
const batch = (bytes = 0) => unsent().filter(([, text], n) => (bytes += new Blob([sentNow(text)]).size) < 60_000 || n === 0)
// An event that happened before the server's time was known says by which clock it was sent. Its own time never changes.
const sentNow = (text) => text.replace('{"sent_at":0', () => `{"sent_at":"${new Date().toISOString()}"`)
const bodyOf = (events) => `{"interactions":[${events.map(([, text]) => sentNow(text)).join()}]}`
const shopper = () => storage((stored) => (stored['footfall-session'] ??= crypto.randomUUID()))

// How far the server's clock is ahead of this one, in ms, by an answer of the last hour; undefined when that is not known.
const aheadMs = () => {
  const [ms, atMs] = (storage((stored) => stored['footfall-clock']) ?? memory['footfall-clock'] ?? '').split(' ').map(Number)
  return Date.now() >= atMs && Date.now() - atMs < 3_600_000 ? ms : undefined
}
// The Date of an answer has whole seconds, and is of some moment between the request and now; unless the clock was set in between.
const learnClock = (beganMs, serverMs, nowMs = Date.now(), tookMs = nowMs - beganMs) => {
  const [ms, doubtMs] = [Math.round(serverMs + 500 - (beganMs + nowMs) / 2), 2_000 + tookMs / 2]
  if (serverMs > 0 && tookMs >= 0 && tookMs < 30_000)
    storage((stored) => (stored['footfall-clock'] = `${Math.abs(ms) > doubtMs ? ms : 0} ${nowMs}`))
}

export function footfall({ url, key, account_id, session_id = shopper() }) {
  const address = `${url}/api/v1/analytic/interaction?key=${key}`
  let [timer, pauseMs, isFirst] = [setTimeout(send, 1_000), 1_000, true]
  async function send() {
    const [events, beganMs] = [batch(), Date.now()]
    if (events.length === 0) return (timer = undefined)
    isFirst = false
    const request = { method: 'POST', body: bodyOf(events), signal: AbortSignal.timeout(30_000) }
    const answer = await fetch(address, request).catch(() => undefined)
    learnClock(beganMs, Date.parse(answer?.headers.get('date')))
    const { data, error } = (await answer?.json().catch(() => undefined)) ?? {}
    if (error ?? data?.rejected?.[0]) console.warn('Footfall:', error ?? data.rejected)
    const isJudged = data?.rejected ?? ['invalid_request', 'too_large'].includes(error?.code)
    if (isJudged) events.forEach(drop)
    pauseMs = isJudged ? 1_000 : Math.min(2 * pauseMs, 300_000)
    return (timer = setTimeout(send, Math.max(1_000 * answer?.headers.get('retry-after') || 0, pauseMs * (0.5 + Math.random()))))
  }
  const handOver = () => document.hidden && unsent().length > 0 && navigator.sendBeacon(address, bodyOf(batch()))
  for (const name of ['visibilitychange', 'pagehide']) addEventListener(name, handOver)
  return (event_type, ref_id, more) => {
    const ahead = aheadMs()
    const sent_at = ahead === undefined ? 0 : undefined
    const identity = { sent_at, event_id: crypto.randomUUID(), occurred_at: new Date(Date.now() + (ahead ?? 0)).toISOString() }
    const event = { ...identity, account_id, session_id, event_type, ref_type: 'Product', ref_id: `${ref_id}`, ...more }
    storage((stored) => (stored[`footfall:${event.occurred_at} ${event.event_id}`] = JSON.stringify(event)))
    unsent().slice(0, -1_000).forEach(drop)
    if (isFirst && ahead === undefined) timer = clearTimeout(timer) ?? setTimeout(send, 0) // The answer tells the time.
    timer ??= setTimeout(send, 1_000)
  }
}
