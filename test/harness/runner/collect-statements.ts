import { appendFileSync } from 'node:fs'
import pg from 'pg'

/*
 * With COLLECT_STATEMENTS=FILE, every statement that a file of src sends to PostgreSQL is added to the file as a line of JSON, once for each
 * process. test/citus/audit.ts reads it.
 */
const file = process.env['COLLECT_STATEMENTS']
const shared = globalThis as { collectedStatements?: Set<string> }

if (file !== undefined && shared.collectedStatements === undefined) {
  const seen = (shared.collectedStatements = new Set())
  Error.stackTraceLimit = 60
  const query = Reflect.get(pg.Client.prototype, 'query') as (...given: unknown[]) => unknown
  pg.Client.prototype.query = function (this: pg.Client, ...given: unknown[]) {
    const [config] = given
    const text = typeof config === 'string' ? config : (config as { text?: string }).text
    if (text !== undefined && !seen.has(text) && /\/src\/(?!store\/database\/connection)/.test(new Error('who').stack ?? '')) {
      seen.add(text)
      appendFileSync(file, `${JSON.stringify(text)}\n`)
    }
    return query.apply(this, given)
  } as typeof pg.Client.prototype.query
}
