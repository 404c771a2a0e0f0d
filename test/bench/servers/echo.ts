import { createServer, type AddressInfo } from 'node:net'

/** A server that only answers, so that nearly all CPU time is the client's. */
const BODY = '{"data":{"accepted":1,"duplicates":0,"duplicate_indexes":[],"rejected":[]}}'
const ANSWER = `HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('data', () => socket.write(ANSWER))
  socket.on('error', () => socket.destroy())
})
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
process.on('disconnect', () => process.exit(0))
