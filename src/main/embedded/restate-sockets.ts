/**
 * Where a guarded restate-server listens, relative to its data folder, because the path of a socket has about 100 bytes at most. Their
 * folder is named as the node, in restate.toml.
 */
export const RESTATE_SOCKETS = {
  ingress: 'footfall/ingress.sock',
  admin: 'footfall/admin.sock',
  node: 'footfall/fabric.sock',
}
