import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Death, EndpointMessage } from './endpoint.ts'

export interface EndpointProcess {
  databaseUrl: string
  port: number
  /** Where its log goes: an open file. */
  log: number
}

/** Starts the endpoint as a process of its own; resolves when it listens. */
export async function startEndpoint({ databaseUrl, port, log }: EndpointProcess): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'endpoint.ts'), databaseUrl, String(port)], {
    stdio: ['ignore', log, log, 'ipc'],
  })
  await told(child, 'ready')
  return child
}

/** Tells it where to die; null to live on. Resolves when it knows. */
export async function armEndpoint(child: ChildProcess, death: Death | null): Promise<void> {
  const armed = told(child, 'armed')
  child.send({ death })
  await armed
}

function told(child: ChildProcess, wanted: EndpointMessage): Promise<void> {
  return new Promise((resolve, reject) => {
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
