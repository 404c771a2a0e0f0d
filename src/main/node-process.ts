import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CHECKOUT } from './config/checkout.ts'
import type { Config } from './config/config.ts'
import { StartError } from './config/start-error.ts'
import { erasureKeyFileOf, logFolderOf, paymentSecretFileOf } from './database/home-paths.ts'
import { type OnSpawn, stopProcess } from './embedded/process.ts'
import { GATEWAY_MALLOC } from './embedded/malloc-settings.ts'
import { noticeIn } from './embedded/notice.ts'
import type { Part } from './embedded/supervisor.ts'
import { V8_FLAGS } from './embedded/v8-flags.ts'

const READY_MS_MAX = 30_000

export interface NodeProcessOptions {
  /** File descriptor of the log. */
  log: number
  /** Prints the notices of the process. */
  print: (line: string) => void
  args?: readonly string[]
  /** The working directory; that of this process unless given. */
  folder?: string
}

/**
 * The gateway, the endpoint, the consumer or the guard as a process of its own. It sends a message when it serves, and ends by itself when the
 * process that started it is gone.
 */
export function nodeProcess(name: keyof typeof V8_FLAGS, config: Config, options: NodeProcessOptions): Part {
  const { log, print, args = [], folder } = options
  const file = join(CHECKOUT, 'src', 'main', `${name}.ts`)
  const start = async (onSpawn: OnSpawn) => {
    const child = fork(file, args, {
      ...(folder !== undefined && { cwd: folder }),
      stdio: ['ignore', log, log, 'ipc'],
      execArgv: V8_FLAGS[name],
      detached: true,
      env: {
        PAYMENT_SECRET_FILE: paymentSecretFileOf(config),
        ERASURE_KEY_FILE: erasureKeyFileOf(config),
        ...(name === 'gateway' && GATEWAY_MALLOC),
        ...process.env,
        FOOTFALL_HOME: config.FOOTFALL_HOME,
      },
    })
    onSpawn(child)
    const isReady = await Promise.race([
      readiness(child, print),
      once(child, 'exit').then(() => false),
      sleep(READY_MS_MAX, false, { ref: false }),
    ])
    if (isReady) return
    await stopProcess(child, 'SIGKILL')
    throw new StartError(
      `the ${name} did not start within ${READY_MS_MAX / 1_000} s, or ended; ${join(logFolderOf(config), `${name}.log`)} may say why`,
    )
  }
  return { name: `The ${name}`, start, stopSignal: 'SIGTERM', mark: file }
}

/** Resolves when the process serves. Prints its notices from then on too. */
function readiness(child: ChildProcess, print: (line: string) => void): Promise<true> {
  return new Promise((resolve) => {
    child.on('message', (message) => {
      const notice = noticeIn(message)
      if (notice === undefined) resolve(true)
      else print(notice)
    })
  })
}
