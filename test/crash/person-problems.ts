import { createHash } from 'node:crypto'
import * as clients from '@restatedev/restate-sdk-clients'
import { sql } from 'kysely'
import type { ShopperContext } from '../../src/contract/shopper-context.ts'
import { shopperApi } from '../../src/contract/services.ts'
import { contextAnswerOf } from '../../src/ranking/shopper-context-answer.ts'
import { contextOf } from '../../src/ranking/shopper-context.ts'
import type { ShopperEvent } from '../../src/ranking/shopper-event.ts'
import { certifiedText } from '../../src/store/erasure/certificate.ts'
import { exported } from '../harness/items/erased.ts'
import { TEST_DEPS } from '../harness/servers/deps.ts'
import type { Person, PersonEvent } from './person.ts'
import type { CrashStack } from './stack.ts'

interface Row {
  eventId: string
  shopper: string
  productId: string
  hasNote: boolean
}

/** Compares the database and the answers with what persons did. @returns the broken promises. */
export async function personProblems(stack: CrashStack, persons: readonly Person[]): Promise<string[]> {
  const rows = await rowsOf(stack, persons)
  const redirects = await redirectsOf(stack)
  const unclaimedMs = await unclaimedErasureMs(stack, persons)
  const problems: string[] = []
  for (const person of persons) {
    problems.push(...eventProblems(person, rows, unclaimedMs), ...mergeProblems(person, redirects))
    problems.push(...(await paymentProblems(stack, person, unclaimedMs)), ...(await erasureProblems(stack, person)))
    problems.push(...(await contextProblems(stack, person, redirects)))
  }
  return problems
}

/** Up to which instant the person's own events are erased; the rival's sessions are not. */
function erasedUntilMs({ erasure }: Person): number {
  return erasure?.certificate === undefined ? -Infinity : Date.parse(erasure.certificate.erased_at)
}

/** Whether a shopper was of the account when it was erased. */
function isOwn(person: Person, shopper: string): boolean {
  const session = shopper.slice('session:'.length)
  return shopper === `account:${person.account}` || (person.owners.get(session)?.has(person.account) ?? false)
}

/**
 * Whether an event must have the shopper that it was sent with, or must not. Undefined when both may be: an event of a fast clock that
 * was perhaps recorded before the erasure, or an event up to an erasure whose request was never answered.
 */
function keepsShopper(person: Person, { shopper, occurredAtMs, sentMs }: PersonEvent, unclaimedMs: number): boolean | undefined {
  if (!isOwn(person, shopper)) return true
  const untilMs = erasedUntilMs(person)
  if (occurredAtMs <= untilMs) return false
  return sentMs > untilMs && Math.min(occurredAtMs, sentMs) > unclaimedMs ? true : undefined
}

function eventProblems(person: Person, rows: ReadonlyMap<string, Row[]>, unclaimedMs: number): string[] {
  return person.events.flatMap((event) => {
    const found = rows.get(event.eventId) ?? []
    const [row] = found
    const name = `event ${event.eventId} of ${event.shopper}`
    if (row === undefined || found.length > 1) return [`${name} is recorded ${found.length} times`]
    if (row.productId !== event.productId) return [`${name} has another product`]
    const isKept = row.shopper === event.shopper
    if (isKept !== (keepsShopper(person, event, unclaimedMs) ?? isKept)) return [`${name} is of ${row.shopper}`]
    return row.hasNote === isKept ? [] : [`${name} ${row.hasNote ? 'keeps' : 'lost'} its metadata`]
  })
}

/** Every session has one account, which all answers name. */
function mergeProblems({ owners, erasure }: Person, redirects: ReadonlyMap<string, string>): string[] {
  return [...owners].flatMap(([session, accounts]) => {
    if (accounts.size !== 1) return [`the session ${session} belongs to ${[...accounts].join(' and ')}`]
    const [account] = accounts
    if (erasure !== undefined || redirects.get(session) === account) return []
    return [`the session ${session} belongs to ${redirects.get(session)}, and was answered ${account}`]
  })
}

async function paymentProblems({ db }: CrashStack, person: Person, unclaimedMs: number): Promise<string[]> {
  const ids = person.payments.map(({ eventId }) => eventId)
  const { rows } = await sql<{ id: string; account: string }>`
    select callback_id as id, account_id as account from payment_callback where callback_id = any(${ids}::text[])`.execute(db)
  return person.payments.flatMap((payment) => {
    const found = rows.filter(({ id }) => id === payment.eventId)
    if (found.length !== 1) return [`payment ${payment.eventId} is recorded ${found.length} times`]
    const isKept = found[0]!.account === person.account
    if (isKept === (keepsShopper(person, payment, unclaimedMs) ?? isKept)) return []
    return [`payment ${payment.eventId} of ${person.account} is of ${found[0]!.account}`]
  })
}

/** What is kept about an erased person is of later, and its certificate is in the audit trail. */
async function erasureProblems({ db }: CrashStack, person: Person): Promise<string[]> {
  const { erasure, account } = person
  if (erasure?.certificate === undefined) return []
  const { erased_at, tables, sha256 } = erasure.certificate
  const untilMs = erasedUntilMs(person)
  const kept = await exported(db, `account:${account}`)
  const old = kept.filter(({ row }) => Date.parse(String(row['occurred_at'] ?? row['merged_at'])) <= untilMs)
  const certified = createHash('sha256')
    .update(certifiedText(erasure.id, erased_at, tables))
    .digest('hex')
  const { rows } = await sql<{ action: string; sha256: string | null }>`
    select action, metadata->>'sha256' as sha256 from audit_entry where resource_id = ${erasure.id} order by audit_id`.execute(db)
  const trail = rows.map(({ action, sha256: audited }) => `${action} ${audited ?? ''}`.trim()).join()
  const expected = `erasure.request,erasure.start,erasure.complete ${sha256}`
  return [
    ...old.map((line) => `kept about the erased ${account}: ${JSON.stringify(line)}`),
    ...(certified === sha256 ? [] : [`the certificate of ${account} has another hash`]),
    ...(trail === expected ? [] : [`the audit trail of ${account} is ${trail}`]),
  ]
}

/** The contexts are those of the log's events of the shopper: over HTTP, and through Restate. */
async function contextProblems(stack: CrashStack, person: Person, redirects: ReadonlyMap<string, string>): Promise<string[]> {
  const problems: string[] = []
  const ownerOf = (session: string) => redirects.get(session) ?? session
  for (const shopper of [`account:${person.account}`, ...[...person.owners.keys()].map((session) => `session:${session}`)]) {
    const owner = ownerOf(shopper.slice(shopper.indexOf(':') + 1))
    const sessions = [...redirects].flatMap(([session, account]) => (account === owner ? [`session:${session}`] : []))
    const events = await loggedEvents(stack, [
      owner === shopper.slice('session:'.length) ? shopper : `account:${owner}`,
      ...sessions,
    ])
    const expected = () => productsOf(contextAnswerOf(contextOf(events, Date.now(), TEST_DEPS.context)))
    const handled = productsOf(
      await clients.connect({ url: stack.ingressUrl }).client(shopperApi).Context({ shopper_id: shopper }),
    )
    if (handled !== expected()) problems.push(`the context of ${shopper} is ${handled}, not ${expected()}`)
    // The gateway may have live events that came after the erasure.
    if (person.erasure !== undefined) continue
    const answer = await fetch(`${stack.gatewayUrl}/api/v1/shoppers/${encodeURIComponent(shopper)}/context`)
    const overHttp = productsOf(((await answer.json()) as { data: ShopperContext }).data)
    if (overHttp !== expected()) problems.push(`over HTTP the context of ${shopper} is ${overHttp}, not ${expected()}`)
  }
  return problems
}

async function loggedEvents({ db }: CrashStack, shopperIds: readonly string[]): Promise<ShopperEvent[]> {
  const { rows } = await sql<{ eventId: string; occurredAt: Date; productId: string; eventType: string }>`
    select event_id as "eventId", occurred_at as "occurredAt", ref_id as "productId", event_type as "eventType" from interaction
    where case when account_id is null then 'session:' || session_id else 'account:' || account_id end = any(${shopperIds}::text[])
      and not is_category`.execute(db)
  return rows.map(({ occurredAt, ...event }) => ({ ...event, occurredAtMs: occurredAt.getTime() }))
}

/** Each product with what was done last; no times, because those of a fast clock are the answer's. */
function productsOf({ recent_products }: ShopperContext): string {
  return recent_products.map(({ product_id, event_type }) => `${event_type} ${product_id}`).join()
}

async function rowsOf({ db }: CrashStack, persons: readonly Person[]): Promise<Map<string, Row[]>> {
  const ids = persons.flatMap(({ events }) => events.map(({ eventId }) => eventId))
  const { rows } = await sql<Row>`
    select event_id as "eventId", ref_id as "productId", metadata ? 'note' is true as "hasNote",
      case when account_id is null then 'session:' || session_id else 'account:' || account_id end as shopper
    from interaction where event_id = any(${ids}::uuid[])`.execute(db)
  return Map.groupBy(rows, ({ eventId }) => eventId)
}

async function redirectsOf({ db }: CrashStack): Promise<Map<string, string>> {
  const { rows } = await sql<{ session: string; account: string }>`
    select session_id as session, account_id as account from shopper_redirect`.execute(db)
  return new Map(rows.map(({ session, account }) => [session, account]))
}

/** The instant of the latest erasure that no answer named. */
async function unclaimedErasureMs({ db }: CrashStack, persons: readonly Person[]): Promise<number> {
  const claimed = persons.flatMap(({ erasure }) => erasure?.id ?? [])
  const { rows } = await sql<{ erasedAt: Date | null }>`
    select max(erased_at) as "erasedAt" from erasure_run where run_id <> all(${claimed}::uuid[])`.execute(db)
  return rows[0]?.erasedAt?.getTime() ?? -Infinity
}
