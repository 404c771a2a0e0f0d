import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { linesOf } from '../../src/cli/demo/table.ts'
import { postgresUrl } from '../../src/main/embedded/postgres.ts'
import { connect, type Database } from '../../src/store/database/connection.ts'
import { openPage, type Track } from '../harness/clients/browser-page.ts'
import { type Program, startProgram } from '../harness/programs/program.ts'
import { BLOCKS, NOT_RUN } from '../harness/programs/docs.ts'
import { type Block, like } from '../harness/programs/markdown-blocks.ts'
import { settled } from '../harness/servers/stack.ts'
import { makeConsumer, runTyped } from '../harness/programs/typed-consumer.ts'
import { until } from '../../src/main/embedded/until.ts'

const CHECKOUT = join(import.meta.dirname, '..', '..')
/** Ctrl-C reaches the command that runs, and the shell around it goes on. */
const IGNORE_CTRL_C = 'trap : INT'

const SHOP = `event_time,event_type,product_id,user_id,user_session
2026-03-01 12:00:00 UTC,view,stool,7,a
2026-03-01 12:01:00 UTC,cart,stool,7,a
`
const INVOICES = `InvoiceNo,StockCode,Quantity,InvoiceDate,CustomerID
5001,85123A,6,2026-03-01 12:00:00,17850
C5002,85123A,-6,2026-03-02 12:00:00,
`
const PRODUCTS = `sku,title,shelf,price,online
stool,Oak stool,seats,59.9,yes
bench,Oak bench,seats,,no
`
const KUNDEN = `Datum;Kunde;Artikel;Preis
01.03.2026 12:00;Müller;Höcker;1.059,90
`
const ORDER = {
  messageId: '0e3b1c1e-0000-4000-8000-000000000000',
  timestamp: '2026-03-01T12:00:00Z',
  userId: '7',
  properties: { products: [{ product_id: 'rug', price: 59.9 }, { product_id: 'vase' }] },
}

/** The files of docs/import-presets.md. */
const PRESET_FILES = {
  'events_20260301.json.gz': 'ga4.jsonl',
  'segment-logs/a.gz': 'segment.jsonl',
  'rudder-logs/a.json.gz': 'rudderstack.jsonl',
  'orders_export.csv': 'shopify-orders.csv',
  'feedback.csv': 'gorse-feedback.csv',
  'items.csv': 'gorse-items.csv',
  '2019-Oct.csv.gz': 'rees46.csv',
  'events.csv': 'retailrocket-events.csv',
  'item_properties_part1.csv': 'retailrocket-properties.csv',
  'item_properties_part2.csv': 'retailrocket-properties.csv',
  'online-retail.csv': 'online-retail.csv',
  'olist_order_items_dataset.csv': 'olist-items.csv',
  'olist_products_dataset.csv': 'olist-products.csv',
}

let program: Program
let folder: string
let db: Database
let environment: Record<string, string>
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'footfall-readme-'))
  await symlink(join(CHECKOUT, 'footfall'), join(folder, 'footfall'))
  await writeFile(join(folder, 'shop.csv.gz'), gzipSync(SHOP))
  await writeFile(join(folder, 'invoices.csv'), INVOICES)
  await writeFile(join(folder, 'products.csv'), PRODUCTS)
  await writeFile(join(folder, 'kunden.csv'), KUNDEN, 'latin1')
  await writeFile(join(folder, 'orders.json'), JSON.stringify([ORDER], null, 2))
  for (const logs of ['segment-logs', 'rudder-logs']) await mkdir(join(folder, logs))
  for (const [name, file] of Object.entries(PRESET_FILES)) {
    const bytes = await readFile(join(CHECKOUT, 'test', 'cli', 'preset-files', file))
    await writeFile(join(folder, name), name.endsWith('.gz') ? gzipSync(bytes) : bytes)
  }
  ;[program] = await Promise.all([startProgram(), makeConsumer(folder)])
  environment = { ...program.environment }
  const password = await readFile(join(environment['FOOTFALL_HOME']!, 'postgres-password'), 'utf8')
  const url = postgresUrl({ port: Number(environment['POSTGRES_PORT']), password })
  db = connect({ url, name: 'test', connectionsMax: 1 })
}, 90_000)
afterAll(async () => {
  await db.destroy()
  await program.stop()
  await rm(folder, { recursive: true, force: true })
}, 60_000)

/** The program's own ports in place of the documented ones. The files of presets have rows that are refused, too: status 3. */
function rewritten(text: string): string {
  return text
    .replaceAll(/^\.\/footfall import .* --preset .*$/gm, '$& || [ $? -eq 3 ]')
    .replaceAll('http://127.0.0.1:3000', program.urlOf('GATEWAY_PORT'))
    .replaceAll('http://127.0.0.1:8080', program.urlOf('RESTATE_INGRESS_PORT'))
}

/** Runs a block of commands, with Ctrl-C after the given output. */
async function runShell(text: string, ctrlCAfter?: string): Promise<string> {
  const child = spawn('sh', ['-ec', `${IGNORE_CTRL_C}\n${rewritten(text)}`], {
    cwd: folder,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  const ended = once(child, 'close')
  if (ctrlCAfter !== undefined) {
    await until(async () => printed.includes(ctrlCAfter) || child.exitCode !== null, 90_000)
    process.kill(-child.pid!, 'SIGINT')
  }
  await ended
  if (child.exitCode !== 0) throw new Error(`exit ${child.exitCode ?? child.signalCode}: ${printed}`)
  return printed
}

let publishableKey = ''

/** The output of the block before. */
let printed = ''

async function execute({ language, text }: Block): Promise<void> {
  if (language === 'sh') {
    // A newcomer pastes the commands of the first minute without a pause: the retry must be enough.
    if (!text.includes('--retry')) await settled(db)
    const isEndless = text === './footfall demo'
    printed = await runShell(text, isEndless ? 'first in trending' : undefined)
    if (isEndless) expect(printed).toContain('Prove the numbers: ./footfall verify')
    // curl exits with 0 on an error answer too.
    const isOfIngress = text.includes('http://127.0.0.1:8080/')
    if (text.startsWith('curl')) expect(JSON.parse(printed)).toHaveProperty(isOfIngress ? 'id' : 'data')
    if (text.includes('key create')) await useKeys(printed)
  } else if (language === 'json') {
    expect(JSON.parse(printed)).toEqual(like(JSON.parse(text)))
  } else if (language === 'ts') {
    const answers = JSON.parse(
      await runTyped(folder, `${rewritten(text)}\nconsole.log(JSON.stringify({ answer, top: data.length }))`),
    ) as unknown
    expect(answers).toEqual({ answer: { accepted: 1, duplicates: 0, duplicate_indexes: [], rejected: [] }, top: 10 })
  } else if (language === 'html') {
    await executeInPage(text)
  } else if (language === '' && text.startsWith('rank')) {
    expectDemoTable(text)
  } else if (language === '') {
    expect(printed.trim()).toBe(text)
  } else {
    throw new Error(`nothing runs a block of ${language}`)
  }
}

/** The demo prints its table only on a terminal. So this compares the columns with the code that prints them. */
function expectDemoTable(text: string): void {
  const tally = { sent: 0, accepted: 0, duplicates: 0, rejected: 0 }
  const [heading] = linesOf({ top: [], startRanks: new Map(), sleeperId: '', tally, story: '' }, 1)
  const [first, ...rows] = text.split('\n')
  expect(first).toBe(heading!.text.trimEnd())
  for (const row of rows) expect(row).toMatch(/^ +\d+ [▲▼]\d+ +[a-z-]+ +\d+\.\d +\d+\.\d +\d+ +\d+$/)
}

/** Runs the page's script with docs/browser.js, so its events are counted. */
async function executeInPage(html: string): Promise<void> {
  const script = /<script type="module">\n\s*import \{ footfall \} from '\/browser\.js'\n(.*)<\/script>/s.exec(html)![1]!
  const gatewayUrl = program.urlOf('GATEWAY_PORT')
  const page = openPage({ gatewayUrl, key: publishableKey, origin: 'https://shop.example', storage: {} })
  const footfall = ({ url, key }: { url: string; key: string }): Track => {
    expect([url, key]).toEqual([expect.stringMatching(/^https:/), expect.stringMatching(/^ffp_/)])
    return page.track
  }
  runInNewContext(script, { footfall })
  await page.hide()
  expect(page.beacons.join()).toContain('"ref_id":"lamp"')
  page.kill()
}

/** From here on the gateway wants a key. */
async function useKeys(text: string): Promise<void> {
  environment['FOOTFALL_KEY'] = /^ +(ff_\w+)$/m.exec(text)![1]!
  publishableKey = /^ +(ffp_\w+)$/m.exec(text)![1]!
  const lamp = `${program.urlOf('GATEWAY_PORT')}/api/v1/analytic/popularity/lamp`
  expect(await until(async () => (await fetch(lamp)).status === 401, 5_000)).toBe(true)
}

test.each(
  BLOCKS.filter((block) => !NOT_RUN.some((rule) => rule.isFor(block))).map(
    (block) => [block.page, block.line, block.text.split('\n')[0], block] as const,
  ),
)('%s, line %i does what it says: %s', { timeout: 120_000 }, async (_page, _line, _text, block) => {
  await expect(execute(block)).resolves.toBeUndefined()
})

test('after all of it every number is right', { timeout: 60_000 }, async () => {
  await settled(db)
  expect(await runShell('./footfall verify')).toContain('no cells differ')
})
