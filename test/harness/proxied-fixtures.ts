import { connect } from '../../src/store/database/connection.ts'
import { pgTest } from './fixtures.ts'
import { startTcpProxy } from './servers/tcp-proxy.ts'

/** Tests that cut PostgreSQL off: `proxied` reaches the database through `proxy`. */
export const proxiedTest = pgTest
  .extend('proxy', { scope: 'file' }, async ({ database }, { onCleanup }) => {
    const proxy = await startTcpProxy(database.url)
    onCleanup(proxy.cut)
    return proxy
  })
  .extend('proxied', { scope: 'file' }, ({ proxy }, { onCleanup }) => {
    const proxied = connect({ url: proxy.url, name: 'test' })
    onCleanup(() => proxied.destroy())
    return proxied
  })
