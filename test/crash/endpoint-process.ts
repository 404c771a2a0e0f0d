import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { isProcessGone } from '../../src/main/embedded/process.ts'
import type { Death, EndpointMessage, EndpointOrder } from './endpoint-messages.ts'

export interface EndpointProcess {
  databaseUrl: string
  port: number
  /** Where retention archives months; without it nothing is dropped. */
  archiveFolder: string | undefined
  /** The open file of its log. */
  log: number
}

/** Starts a process that loads the endpoint, which is most of its start. Resolves when it waits for the order to serve. */
export async function loadEndpoint({ databaseUrl, port, archiveFolder, log }: EndpointProcess): Promise<ChildProcess> {
  const archive = archiveFolder === undefined ? [] : [archiveFolder]
  const child = spawn(process.execPath, [join(import.meta.dirname, 'endpoint.ts'), databaseUrl, String(port), ...archive], {
    stdio: ['ignore', log, log, 'ipc'],
  })
  await messageOf(child, 'loaded')
  return child
}

/** Resolves when the endpoint listens. */
export async function openEndpoint(child: ChildProcess): Promise<void> {
  await order(child, 'serve', 'ready')
}

/** Sets where the endpoint dies; null disarms it. Resolves when the endpoint confirms. */
export async function armEndpoint(child: ChildProcess, death: Death | null): Promise<void> {
  await order(child, { death }, 'armed')
}

/** Sets the clock of its handlers. */
export async function setClock(child: ChildProcess, aheadMs: number): Promise<void> {
  await order(child, { aheadMs }, 'clock set')
}

async function order(child: ChildProcess, what: EndpointOrder, answer: EndpointMessage): Promise<void> {
  const answered = messageOf(child, answer)
  // A failure to send is ignored, because the exit of the child rejects `answered`.
  child.send(what, () => undefined)
  await answered
}

/** Resolves when the child sends this message. @throws when it exits first. */
function messageOf(child: ChildProcess, wanted: EndpointMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    if (isProcessGone(child)) throw new Error(`the endpoint had ended before it was ${wanted}`)
    const onMessage = (message: unknown) => {
      if (message !== wanted) return
      stopListening()
      resolve()
    }
    const onExit = () => {
      stopListening()
      reject(new Error(`the endpoint ended before it was ${wanted}`))
    }
    const stopListening = () => child.off('message', onMessage).off('exit', onExit)
    child.on('message', onMessage).on('exit', onExit)
  })
}
