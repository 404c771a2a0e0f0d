// Exits with 0 when the process of this container answers. Plain JavaScript without imports, because it starts every few seconds.
const { GATEWAY_PORT = 3000, ENDPOINT_METRICS_PORT = 9081, CONSUMER_METRICS_PORT = 9082, RESTATE_ADMIN_PORT = 9070 } = process.env
const isAlive = (url) => fetch(url, { signal: AbortSignal.timeout(2_500) }).then((answer) => answer.ok)
const ports = [GATEWAY_PORT, ENDPOINT_METRICS_PORT, CONSUMER_METRICS_PORT, RESTATE_ADMIN_PORT]
const probes = ports.map((port) => isAlive(`http://127.0.0.1:${port}/health`))
process.exitCode = await Promise.any(probes).then(
  (isHealthy) => (isHealthy ? 0 : 1),
  () => 1,
)
