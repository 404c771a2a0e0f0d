import { once } from 'node:events'
import { readFile, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { makeCertificates } from './certificates.ts'
import { makeDataFolder } from './data-folder.ts'

/** A proxy that speaks TLS and tells the server behind it so, as docs/deploying.md asks of one. */
export async function startTlsProxy(target: string): Promise<{ port: number; stop: () => Promise<void> }> {
  const folder = makeDataFolder('tls-proxy')
  const { certFile, keyFile } = await makeCertificates(folder, 'shop.example')
  const [cert, key] = [await readFile(certFile), await readFile(keyFile)]
  const server = createServer({ cert, key }, (incoming, outgoing) => {
    const { method, headers, url = '/', socket } = incoming
    const forwarded = { ...headers, 'x-forwarded-proto': 'https', 'x-forwarded-for': socket.remoteAddress ?? '127.0.0.1' }
    const passed = request(new URL(url, target), { method: method!, headers: forwarded }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(outgoing)
    })
    passed.on('error', () => outgoing.destroy())
    incoming.pipe(passed)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
      await rm(folder, { recursive: true, force: true })
    },
  }
}
