import { parentPort } from 'node:worker_threads'
import { attributesOf } from '../ranking/similarity/content.ts'
import { createHistoryBuilder, type HistoryBuilder } from '../ranking/similarity/histories.ts'
import { yieldToOtherThreads } from './similarity-blocks.ts'
import type { PreparerArguments, PreparerCall, PreparerMethod, PreparerResults } from './similarity-protocol.ts'

/** The thread that builds histories and lists of attributes, one call after the other. A fault ends it. */
const port = parentPort!
let builder: HistoryBuilder | undefined

const METHODS: { [Method in PreparerMethod]: (args: PreparerArguments[Method]) => PreparerResults[Method] } = {
  begin: ({ order, bounds }) => {
    builder = createHistoryBuilder(order, bounds)
    return undefined
  },
  add: ({ shoppers, products, days }) => {
    for (let at = 0; at < shoppers.length; at++) builder!.add(shoppers[at]!, products[at]!, days[at])
    return undefined
  },
  finish: ({ products, numberOf }) => {
    const histories = builder!.finish(products, numberOf)
    builder = undefined
    return histories
  },
  attributes: (lists) => attributesOf(lists),
}

yieldToOtherThreads()
port.on(
  'message',
  <Method extends PreparerMethod>({ method, args }: PreparerCall & { method: Method; args: PreparerArguments[Method] }) => {
    port.postMessage(METHODS[method](args))
  },
)
