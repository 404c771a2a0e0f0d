import pg from 'pg'
import { onTestFinished } from 'vitest'

type Query = (config: unknown, ...rest: unknown[]) => unknown

/** Until the test ends, callers of connections with this name get an answer after `onAnswer` has run, which gets the statement. */
export function onAnswers(connectionName: string, onAnswer: (text: string) => Promise<void>): void {
  const client = pg.Client.prototype as unknown as { query: Query; connectionParameters: { application_name?: string } }
  const { query } = client
  onTestFinished(() => void (client.query = query))
  client.query = function (this: typeof client, config, ...rest) {
    const answer = query.call(this, config, ...rest)
    if (this.connectionParameters.application_name !== connectionName || !(answer instanceof Promise)) return answer
    return answer.then(async (value: unknown) => {
      await onAnswer(typeof config === 'string' ? config : (config as { text: string }).text)
      return value
    })
  }
}
