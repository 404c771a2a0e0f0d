import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

/** What the proxy does with a call: it answers in place of the server, ends the connection, or has a part of a batch left over. */
export type DynamoTrouble = 'throttle' | 'cut before' | 'cut after' | 'unprocessed'

interface Batch {
  RequestItems: Record<string, { PutRequest: { Item: { PK: { S: string }; SK: { S: string } } } }[]>
}

export interface DynamoProxy {
  url: string
  /** Decides for each call, e.g. of `BatchWriteItem`. */
  trouble: (operation: string) => DynamoTrouble | undefined
  made: number
  /** The keys of every batch that was sent. */
  batches: string[][]
  /** Pages of queries have no more items, as when they have a megabyte. */
  pageItemsMax: number
  stop: () => Promise<void>
}

/** A proxy that does to calls of DynamoDB what the service does when it is overloaded, or its network. */
export async function startDynamoProxy(serverUrl: string): Promise<DynamoProxy> {
  const server = createServer((incoming, answer) => void take(incoming, answer))
  const proxy: DynamoProxy = {
    ...{ url: '', trouble: () => undefined, made: 0, batches: [], pageItemsMax: 1_000 },
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy.url = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  return proxy

  async function take(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const body = JSON.parse(Buffer.concat(await incoming.toArray()).toString()) as object
    const operation = String(incoming.headers['x-amz-target']).split('.')[1]!
    if (operation === 'BatchWriteItem') proxy.batches.push(keysOf(body as Batch))
    const trouble = proxy.trouble(operation)
    if (trouble !== undefined) proxy.made++
    if (trouble === 'cut before') return void incoming.socket.destroy()
    if (trouble === 'throttle') return void answer.writeHead(400, JSON_TYPE).end(THROTTLED)
    const left = trouble === 'unprocessed' ? leaveHalf(body as Batch) : undefined
    if ('Limit' in body) body.Limit = Math.min(body.Limit as number, proxy.pageItemsMax)
    const passed = await fetch(serverUrl, { method: 'POST', headers: headersOf(incoming), body: JSON.stringify(body) })
    if (trouble === 'cut after') return void incoming.socket.destroy()
    const result = (await passed.json()) as object
    answer.writeHead(passed.status, JSON_TYPE).end(JSON.stringify({ ...result, ...(left && { UnprocessedItems: left }) }))
  }
}

function keysOf({ RequestItems: items }: Batch): string[] {
  return Object.values(items).flatMap((requests) => requests.map(({ PutRequest: { Item } }) => `${Item.PK.S} ${Item.SK.S}`))
}

/** Takes the first half out of a batch, of one item all. @returns what it took. */
function leaveHalf({ RequestItems: items }: Batch): Batch['RequestItems'] {
  return Object.fromEntries(
    Object.entries(items).map(([table, requests]) => [table, requests.splice(0, Math.ceil(requests.length / 2))]),
  )
}

function headersOf({ headers }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    ['x-amz-target', 'content-type', 'authorization', 'x-amz-date'].map((name) => [name, String(headers[name])]),
  )
}

const JSON_TYPE = { 'content-type': 'application/x-amz-json-1.0' }
const THROTTLED = JSON.stringify({
  __type: 'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException',
  message: 'The level of configured provisioned throughput for the table was exceeded.',
})
