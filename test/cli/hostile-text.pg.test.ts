import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { sql } from 'kysely'
import { describe, expect } from 'vitest'
import { plain } from '../../src/cli/demo/screen.ts'
import { linesOf } from '../../src/cli/demo/table.ts'
import { COMMANDS } from '../../src/cli/commands/all.ts'
import { linesOfError } from '../../src/cli/terminal/error-lines.ts'
import { harmless, harmlessJson } from '../../src/cli/terminal/harmless.ts'
import { painted } from '../../src/cli/terminal/output.ts'
import { RELEASE } from '../../src/main/release/release.ts'
import { pgTest } from '../harness/fixtures.ts'
import { makeKey } from '../harness/items/keys.ts'
import { saleLine, storeSales } from '../harness/items/sales.ts'
import { runCommand } from '../harness/programs/command.ts'

/** Clears the screen, sets the title, reverses the text, hides, forges a line: with C0, C1, bidi, zero-width and tag characters. */
const HOSTILE = 'x\u001B[2J\u009B2J\u202Eabc\u2066\u2069\u200E\u061C\u200B\u200D\u2060\uFEFF\u2028\u2029\u007F\u{E0041}y'
const FORGED = `${HOSTILE}\nEverything is right.`

/** What no terminal may get from a command, apart from line feeds. */
const UNSAFE =
  // oxlint-disable-next-line no-control-regex -- They are what is looked for.
  /[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u061C\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF]|[\u{E0000}-\u{E007F}]|\p{Cs}/u

const DAY = '2026-03-01T12:00:00.000Z'
const RUN = {
  ...{ id: '00000000-0000-4000-8000-000000000000', kind: 'requested', requested_by: FORGED, actor: FORGED, requested_at: DAY },
  ...{ report_slug: FORGED, window: 'day', date_from: '2026-03-01', date_to: '2026-03-02', status: 'failed' },
  ...{ error_message: FORGED, progress: { done: 1, total: 2 } },
}
const STATE = {
  ...{ task: 'sweep', running: true, every_ms: 60_000, next_at: '2026-03-01T12:00:00.000Z' },
  last_run: { ...{ slot: DAY, started_at: DAY, duration_ms: 1, outcome: 'failed', attempts: 2 }, error: FORGED },
}
const SERVICE = {
  name: 'Analytic',
  deployment_id: 'd',
  handlers: [],
  metadata: { [RELEASE]: FORGED },
  ty: 'Service',
  public: true,
}

/** What the places of other programs answer. */
function answerTo(url: string): unknown {
  if (url.includes('ReplayRejected')) {
    return { outcome: 'rejected', rejection: { id: '1.0', code: 'invalid', field: FORGED, message: FORGED } }
  }
  if (url.includes('RecomputeRun')) return RUN
  if (url.includes('Schedule')) return STATE
  if (url.includes('deployments'))
    return { services: [SERVICE], deployments: [{ ...{ id: FORGED, uri: 'http://127.0.0.1:1', services: [] }, created_at: DAY }] }
  if (url.includes('services')) return { services: [SERVICE] }
  if (url.includes('query')) return { rows: [{ id: FORGED, status: 'paused', n: 1 }] }
  return { status: 'ok', error: { code: 'unauthorized', message: FORGED } }
}

const test = pgTest
  .extend('others', { scope: 'file' }, async ({}, { onCleanup }) => {
    const server = createServer((request, response) => {
      request.resume()
      response.setHeader('content-type', 'application/json')
      response.statusCode = request.url?.includes('/api/') ? 401 : 200
      response.end(JSON.stringify(answerTo(request.url ?? '')))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onCleanup(() => void server.close())
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  .extend('folder', { scope: 'file' }, async ({}, { onCleanup }) => {
    const folder = await mkdtemp(join(tmpdir(), 'footfall-hostile-'))
    onCleanup(() => rm(folder, { recursive: true, force: true }))
    await writeFile(join(folder, 'events.csv'), `${HOSTILE},"${FORGED}"\n1,2\n`)
    await writeFile(join(folder, 'payment-secret'), 'a secret of the tests')
    return folder
  })

test.beforeAll(async ({ db }) => {
  await makeKey(db, { name: FORGED })
  await sql`
    insert into catalog.product (product_id, seller_id, name, status, updated_at, call_id)
    values (${FORGED}, ${HOSTILE}, ${FORGED}, 'active', now(), gen_random_uuid())`.execute(db)
  await storeSales(db, [saleLine({ occurredAtMs: Date.now(), amount: 100, quantity: 1, productId: FORGED, sellerId: HOSTILE })])
  await sql`insert into event_source (slug, provider_name, description) values ('erp', ${FORGED}, ${FORGED})`.execute(db)
  await sql`
    insert into product_popularity values (1, 1, 1, 0, 0, 0, 0, 0, 0, now(), now(), ${FORGED})`.execute(db)
  await sql`
    with b as (
      insert into interaction_batch (occurred_from, occurred_to, events, invocation_id, body_sha256, scored_at, fed_at)
      values (now(), now(), 0, 'i', '', now(), now()) returning batch_id
    ) insert into rejected_interaction (batch_id, index, code, field, message, item)
    select batch_id, 0, 'invalid', ${FORGED}, ${FORGED}, ${JSON.stringify({ name: FORGED })} from b`.execute(db)
})

/** Every command that shows text from outside: its arguments, and whether it prints JSON. */
const SHOWN: [command: keyof typeof COMMANDS, args: string[]][] = [
  ['rejected', ['list']],
  ['rejected', ['list', '--json']],
  ['rejected', ['show', '1.0']],
  ['rejected', ['replay', '1.0']],
  ['key', ['list']],
  ['key', ['list', '--json']],
  ['top', []],
  ['top', ['--json']],
  ['seller', [HOSTILE]],
  ['seller', [HOSTILE, '--json']],
  ['source', ['list']],
  ['source', ['list', '--json']],
  ['verify', []],
  ['verify', ['--json']],
  ['schedules', []],
  ['schedules', ['--json']],
  ['backlog', []],
  ['backlog', ['--json']],
  ['recompute', ['--cancel', '1']],
  ['recompute', ['--cancel', '1', '--json']],
  ['register', []],
  ['import', ['events.csv', '--map', 'ref_id=nothing']],
  ['import', [`${HOSTILE}.csv`]],
  ['demo', ['--days', '0']],
  ['sign', [FORGED]],
]

describe.each(SHOWN)('%s %j', (name, args) => {
  test('prints no character that a terminal obeys or hides', async ({ database, others, folder }) => {
    const command: Command = await COMMANDS[name]!()
    const environment = {
      ...{ DATABASE_URL: database.url, RESTATE_INGRESS_URL: others, RESTATE_ADMIN_URL: others },
      ...{ FOOTFALL_ENDPOINT_URL: others, FOOTFALL_HOME: folder },
    }
    const inFolder = args.map((arg) => (arg === 'events.csv' ? join(folder, arg) : arg))
    const demo = name === 'demo' ? ['--gateway', others] : []
    const { text } = await runCommand(command, [...inFolder, ...demo], environment)
    expect(text).not.toMatch(UNSAFE)
    expect(text.split('\n')).not.toContain('Everything is right.')
    expect(text).toMatch(/x\\(?:u001b|x1B)/)
    if (args.includes('--json')) expect(JSON.stringify(JSON.parse(text))).toContain('Everything is right.')
  })
})

test('the screen of the demo and the lines of an error are as harmless', () => {
  const top = [{ product_id: FORGED, score: 1, trending_score: 1, view_count: 1, purchase_count: 1 }]
  const view = {
    top,
    startRanks: new Map(),
    sleeperId: FORGED,
    tally: { sent: 1, accepted: 1, duplicates: 0, rejected: 0 },
    story: FORGED,
  }
  const shown: string[] = []
  plain((line) => shown.push(harmless(line))).show(view as never)
  const drawn = linesOf(view as never, 5).map((line) => painted(line, process.stdout))
  const error = linesOfError(new Error(HOSTILE)).map(harmless)
  // oxlint-disable-next-line no-control-regex -- The styles are ours.
  for (const line of [...shown, ...drawn, ...error]) expect(line.replaceAll(/\u001B\[\d+m/g, '')).not.toMatch(UNSAFE)
})

test('text that only looks unusual stays as it is', () => {
  for (const text of ['Grüße', '台灯', 'نور', '👩‍🚀', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', '❤️', 'e\u0301']) expect(harmless(text)).toBe(text)
  // A selector after a letter of its script chooses a form; every other one is hidden text.
  for (const text of ['葛\u{E0100}', 'ᠠ\u180B']) expect(harmless(text)).toBe(text)
  expect(harmless('lamp\uFE0F\uFE0E\u180B\u{E0100}\u2800葛\u{E0100}\u{E0101}')).toBe(
    String.raw`lamp\ufe0f\ufe0e\u180b\u{e0100}\u2800` + '葛\u{E0100}' + String.raw`\u{e0101}`,
  )
  expect(harmless('a\uD800b\n\t')).toBe(String.raw`a\ud800b\n\t`)
  const value = { [HOSTILE]: [FORGED, '👩‍🚀', '\uD800'] }
  expect(harmlessJson(value)).not.toMatch(UNSAFE)
  expect(JSON.parse(harmlessJson(value))).toEqual(value)
})
