import { Counter, Gauge, type Registry } from 'prom-client'
import { throttled } from './throttle.ts'

/** Adds a gauge of an answer. */
export type AddGauge<Answer> = (name: string, help: string, valueOf: (answer: Answer) => number) => void

/** Gauges of one answer, which is asked for at each scrape. They are absent while none comes; `errors` counts the times of that. */
export function answerGauges<Answer>(
  registry: Registry,
  ask: () => Promise<Answer | undefined>,
  errors: { name: string; help: string },
): AddGauge<Answer> {
  const registers = [registry]
  const failures = new Counter({ ...errors, registers })
  const answers = throttled(ask, () => failures.inc())
  return (name, help, valueOf) => {
    // oxlint-disable-next-line no-new -- the registry keeps it
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        const answer = await answers.ask()
        if (answer === undefined) this.remove()
        else this.set(valueOf(answer))
      },
    })
  }
}
