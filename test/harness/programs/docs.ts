import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Block, blocksOf } from './markdown-blocks.ts'

const CHECKOUT = join(import.meta.dirname, '..', '..', '..')
const README = readPage('README.md')

/** README and the pages of its index, in its order. Tests run them in one program, so a late page makes the keys. */
export const PAGES = ['README.md', ...new Set(linksOf(sectionOf(README, 'Docs')))]
export const BLOCKS = PAGES.flatMap((page) => blocksOf(page, readPage(page)))

/** A page as text. */
export function readPage(page: string): string {
  return readFileSync(join(CHECKOUT, page), 'utf8')
}

/** Blocks that readme.program.test.ts does not run, and why. */
export const NOT_RUN = [
  rule({ page: 'README.md', text: 'npm ci && npm start' }, 'installs; start.test.ts runs what it starts'),
  rule(
    { page: 'README.md', text: 'sh ops/make-secrets.sh && docker compose up --detach --wait' },
    'needs Docker; compose.docker.test.ts runs it',
  ),
  rule(
    { page: 'docs/operating.md', text: 'OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 npm start' },
    'starts everything; seeing-inside.program.test.ts does, with a receiver',
  ),
  rule({ page: 'docs/payments.md', language: 'js' }, 'payments.restate.test.ts sends it webhooks'),
  rule({ page: 'docs/alerts.md', language: 'js' }, 'documented-receiver.test.ts sends it webhooks'),
  rule({ page: 'docs/standbys.md' }, 'needs standbys; reads.fault.test.ts starts one'),
  rule({ page: 'docs/reconcile.md' }, 'needs a failover; failover.fault.test.ts makes one'),
  rule({ page: 'docs/cluster.md' }, 'needs several machines; cluster.crash.test.ts kills and replaces nodes'),
  rule({ page: 'docs/containers.md' }, 'needs Docker; compose.docker.test.ts runs them'),
  rule({ language: 'sql' }, 'checked-count.pg.test.ts compares its answer with the similarities'),
  rule({ language: 'text' }, 'is a drawing'),
]

/** Blocks with all of the given fields. */
function rule(fields: Partial<Block>, why: string) {
  const isFor = (block: Block) => Object.entries(fields).every(([name, value]) => block[name as keyof Block] === value)
  return { fields, why, isFor }
}

function sectionOf(markdown: string, title: string): string {
  return markdown.split(/^## /m).find((section) => section.startsWith(`${title}\n`))!
}

function linksOf(markdown: string): string[] {
  return [...markdown.matchAll(/\((docs\/[^)#]+\.md)\)/g)].map(([, page]) => page!)
}
