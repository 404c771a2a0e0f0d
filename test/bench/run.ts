import { cpus, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { bytes } from './bytes.bench.ts'
import { ingest } from './ingest.bench.ts'
import { saveResults } from './report.ts'

/** Every row by its name. A row prints its table and returns what is saved; `quick` is for trying it out. */
const ROWS: Record<string, (isQuick: boolean) => Promise<object>> = { ingest, bytes }

const { values, positionals } = parseArgs({ allowPositionals: true, options: { quick: { type: 'boolean', default: false } } })
const unknown = positionals.filter((name) => !(name in ROWS))
if (unknown.length > 0) {
  console.error(`There is no row ${unknown.join(', ')}; there are ${Object.keys(ROWS).join(', ')}.`)
  process.exit(1)
}
const results: Record<string, object> = {}
for (const name of positionals.length > 0 ? positionals : Object.keys(ROWS)) {
  results[name] = await ROWS[name]!(values.quick)
}
const machine = {
  cores: cpus().length,
  model: cpus()[0]?.model,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
}
console.log(`Written to ${await saveResults({ at: new Date().toISOString(), quick: values.quick, machine, results })}`)
