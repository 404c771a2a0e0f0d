import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface Certificates {
  caFile: string
  certFile: string
  keyFile: string
}

/** A CA of its own, and a certificate of it for a name, as files of a folder. */
export async function makeCertificates(folder: string, name: string): Promise<Certificates> {
  const file = (ending: string) => join(folder, ending)
  const openssl = (...args: string[]) => run('openssl', args)
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const ca = { certFile: file('ca.pem'), keyFile: file('ca.key') }
  await openssl('req', '-x509', ...key, '-subj', '/CN=test CA', '-days', '2', '-keyout', ca.keyFile, '-out', ca.certFile)
  await openssl('req', ...key, '-subj', `/CN=${name}`, '-keyout', file('server.key'), '-out', file('server.csr'))
  await writeFile(file('server.ext'), `subjectAltName = DNS:${name}\n`)
  const signed = ['-CA', ca.certFile, '-CAkey', ca.keyFile, '-CAcreateserial', '-days', '2', '-extfile', file('server.ext')]
  await openssl('x509', '-req', '-in', file('server.csr'), ...signed, '-out', file('server.pem'))
  return { caFile: ca.certFile, certFile: file('server.pem'), keyFile: file('server.key') }
}
