import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { Command } from 'commander'
import type { Shopper } from '../../contract/fields/shopper-id.ts'
import { StartError } from '../../main/config/start-error.ts'
import { numberedText } from '../terminal/count.ts'
import { harmlessJsonText } from '../terminal/harmless.ts'
import { print } from '../terminal/output.ts'
import { gatewayOf, type GatewayOptions, withGatewayOptions } from './gateway-option.ts'
import { shopperArgument, shopperPath } from './shopper-argument.ts'

/** Only the owner may read what is kept about a person. */
const MODE = 0o600

export function exportCommand(): Command {
  const command = new Command('export')
    .description('Write everything that is kept about a shopper, as lines of JSON. A merged session stands for its account.')
    .argument('<shopper>', 'account:<account_id> or session:<session_id>', shopperArgument)
    .argument('[file]', 'a new file (default: stdout)')
    .addHelpText('after', HELP)
  return withGatewayOptions(command, 'manage').action(
    async (shopper: Shopper, file: string | undefined, options: GatewayOptions) => {
      const chunks = await gatewayOf(options).stream(shopperPath(shopper, '/export'))
      if (file === undefined) await toStdout(chunks)
      else await toFile(chunks, file)
    },
  )
}

const CUT_OFF = 'The export was cut off: ask again.'

/** Writes a new file as it arrives, and removes it when it is not whole. */
async function toFile(chunks: AsyncIterable<Uint8Array>, path: string): Promise<void> {
  const file = createWriteStream(path, { flags: 'wx', mode: MODE })
  await once(file, 'open').catch((cause: unknown) => {
    throw new StartError(`${path} cannot be made: ${cause instanceof Error ? cause.message : String(cause)}.`, { cause })
  })
  let rows = 0
  let last = LINE_FEED
  const counted = async function* () {
    for await (const chunk of chunks) {
      rows += linesIn(chunk, last)
      last = chunk.at(-1) ?? last
      yield chunk
    }
  }
  await pipeline(counted, file).catch(async (cause: unknown) => {
    await rm(path, { force: true })
    throw new StartError(CUT_OFF, { cause })
  })
  print(`Wrote ${numberedText(rows, 'row')} to ${path}.`)
}

async function toStdout(chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const decoder = new TextDecoder()
  const texts = async function* () {
    for await (const chunk of chunks) yield harmlessJsonText(decoder.decode(chunk, { stream: true }))
  }
  await pipeline(texts, process.stdout, { end: false }).catch((cause: unknown) => {
    // The reader, e.g. head, has what it wants.
    if ((cause as NodeJS.ErrnoException).code !== 'EPIPE') throw new StartError(CUT_OFF, { cause })
  })
}

/** An empty line, by which a slow export keeps its connection, is no row. */
function linesIn(chunk: Uint8Array, before: number): number {
  return chunk.filter((byte, at) => byte === LINE_FEED && (at === 0 ? before : chunk[at - 1]) !== LINE_FEED).length
}

const LINE_FEED = 0x0a

const HELP = `
Each line is {"table": …, "row": {…}}. Nothing is written for a shopper who is not known, or was erased.

  ./footfall export account:dana dana.jsonl
`
