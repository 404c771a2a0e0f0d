import { expect } from 'vitest'
import type { FastifyInstance } from 'fastify'
import { READ_PLACES, type ReadPlace } from '../../src/gateway/standbys/read-places.ts'
import type { Standby } from '../../src/gateway/standbys/standby.ts'
import type { Standbys } from '../../src/gateway/standbys/standbys.ts'
import { connect, type Database } from '../../src/store/database/connection.ts'
import { type DescribedOperation, type OpenApiDocument, operationsOf } from '../harness/clients/openapi-document.ts'
import { pgTest } from '../harness/fixtures.ts'
import { type OfflineGateway, offlineGateway } from '../harness/servers/offline-gateway.ts'
import { product, upsert } from '../harness/items/products.ts'

/** Two pools of one database, so that it shows which of them a read uses. */
interface Watched {
  gateway: OfflineGateway
  /** The statements of a pool since the last time. */
  taken: () => Record<ReadPlace, string[]>
}

const test = pgTest.extend('watched', { scope: 'file' }, async ({ database }, { onCleanup }): Promise<Watched> => {
  const statements: Record<ReadPlace, string[]> = { primary: [], standby: [] }
  const pool = (place: ReadPlace): Database =>
    connect({
      ...{ url: database.url, name: place, readOnly: true, prepares: true },
      observer: { queried: ({ text }) => statements[place].push(text) },
    })
  const [primary, standby] = [pool('primary'), pool('standby')]
  const gateway = await offlineGateway({ db: primary, standbys: alwaysReading(standby) })
  await gateway.app.ready()
  onCleanup(async () => {
    await gateway[Symbol.asyncDispose]()
    await Promise.all([primary.destroy(), standby.destroy()])
  })
  return {
    gateway,
    taken: () => {
      const taken = { ...statements }
      Object.assign(statements, { primary: [], standby: [] })
      return taken
    },
  }
})

/** One standby that has replayed everything. */
function alwaysReading(db: Database): Standbys {
  const standby = { name: 'standby', read: (work) => work(db) } as Standby
  return {
    ...{ choose: () => standby, waitFor: async () => undefined, endOfLog: async () => 1n },
    ...{ states: () => [], close: async () => undefined },
  }
}

const operationsIn = (app: FastifyInstance) => operationsOf(app.swagger() as unknown as OpenApiDocument)
const isRead = ({ method, description }: DescribedOperation) => method === 'GET' || description.includes('the scope `read`')

test('the table says of every operation that reads where it does, and of nothing else', async ({ watched: { gateway } }) => {
  const reads = operationsIn(gateway.app).filter(isRead)
  expect(Object.keys(READ_PLACES).toSorted()).toEqual(reads.map(({ operationId }) => operationId).toSorted())
})

/** They ask Restate, which is not there, for as long as a caller waits. */
const ASK_RESTATE = ['schedules', 'verify']

test('an operation reads where the table says, and nowhere else', async ({ db, watched: { gateway, taken } }) => {
  await upsert(db, [product({ product_id: 'lamp' })])
  const asked = operationsIn(gateway.app).filter((operation) => isRead(operation) && !ASK_RESTATE.includes(operation.operationId))
  for (const operation of asked) {
    const place = READ_PLACES[operation.operationId]!
    taken()
    const status = await ask(gateway.app, operation)
    const statements = taken()
    const other = place === 'standby' ? 'primary' : 'standby'
    expect({ operation: operation.operationId, status, [other]: statements[other] }).toEqual({
      operation: operation.operationId,
      status: expect.toBeOneOf([200, 404, 503]),
      [other]: [],
    })
    const readNothing = place === 'standby' && statements.standby.length === 0
    expect(readNothing ? [operation.operationId] : []).toEqual([])
  }
})

/** Sends the request of an operation's own examples. */
async function ask(app: FastifyInstance, { method, path, parameters = [], requestBody }: DescribedOperation): Promise<number> {
  const filled = parameters
    .filter(({ in: where }) => where === 'path')
    .reduce((text, { name, example }) => text.replace(`{${name}}`, encodeURIComponent(example!)), path)
  const query = parameters.filter(({ in: where, example }) => where === 'query' && example !== undefined)
  const media = Object.values(requestBody?.content ?? {})[0]
  const answer = await app.inject({
    method: method as 'GET',
    url: filled,
    query: Object.fromEntries(query.map(({ name, example }) => [name, String(example)])),
    ...(media !== undefined && { payload: media.example as object }),
  })
  return answer.statusCode
}
