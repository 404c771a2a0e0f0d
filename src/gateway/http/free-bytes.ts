/**
 * Frees the memory of bytes that are not used any more. The collector would free it too, but only when much more has become garbage,
 * because it counts objects and not what is outside its heap: a gateway kept 100 MB after large bodies.
 */
export function freeBytes({ buffer, byteLength }: Buffer): void {
  // Small buffers are parts of a pool.
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength && !buffer.detached) buffer.transfer(0)
}
