import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { isProcessGone } from '../../src/main/embedded/process.ts'
import type { Death, EndpointMessage, EndpointOrder } from './endpoint.ts'

export interface EndpointProcess {
  databaseUrl: string
  port: number
  /** Where its log goes: an open file. */
  log: number
}

/** Loads the endpoint into a process of its own, which is most of its start; resolves when it waits to be told to serve. */
export async function loadEndpoint({ databaseUrl, port, log }: EndpointProcess): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'endpoint.ts'), databaseUrl, String(port)], {
    stdio: ['ignore', log, log, 'ipc'],
  })
  await told(child, 'loaded')
  return child
}

/** Lets it listen. */
export async function openEndpoint(child: ChildProcess): Promise<void> {
  await tell(child, 'serve', 'ready')
}

/** Tells it where to die; null to live on. Resolves when it knows. */
export async function armEndpoint(child: ChildProcess, death: Death | null): Promise<void> {
  await tell(child, { death }, 'armed')
}

/** Sets the clock of its handlers. */
export async function setClock(child: ChildProcess, aheadMs: number): Promise<void> {
  await tell(child, { aheadMs }, 'clock set')
}

async function tell(child: ChildProcess, order: EndpointOrder, answer: EndpointMessage): Promise<void> {
  const answered = told(child, answer)
  // That it has ended is heard below.
  child.send(order, () => undefined)
  await answered
}

function told(child: ChildProcess, wanted: EndpointMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    if (isProcessGone(child)) throw new Error(`the endpoint had ended before it was ${wanted}`)
    const hear = (message: unknown) => {
      if (message !== wanted) return
      stopListening()
      resolve()
    }
    const exit = () => {
      stopListening()
      reject(new Error(`the endpoint ended before it was ${wanted}`))
    }
    const stopListening = () => child.off('message', hear).off('exit', exit)
    child.on('message', hear).on('exit', exit)
  })
}
