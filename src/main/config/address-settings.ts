import { databaseUrls, httpUrls } from './several-urls.ts'
import { httpUrl, port, settingsIn, text } from './setting.ts'

export const addressSettings = settingsIn('Data and addresses', {
  FOOTFALL_HOME: text.default('.footfall').describe('Folder for data, logs and generated secrets; relative to the checkout.'),
  DATABASE_URL: databaseUrls
    .optional()
    .describe(
      'Address of a running PostgreSQL 18. Without it, Footfall runs the embedded one. Several with commas between them are a primary and its standbys: the one that takes writes is found and followed.',
    ),
  DATABASE_PASSWORD_FILE: text
    .optional()
    .describe('File with the password of the user in DATABASE_URL. The address itself then needs no password.'),
  RESTATE_INGRESS_URL: httpUrls('http://127.0.0.1:8080')
    .optional()
    .describe(
      'Ingress of a running Restate 1.7. Without it, Footfall runs the embedded one. Several with commas between them are the nodes of one cluster: calls go to the one that answered last, and to the next one when it does not answer.',
    ),
  RESTATE_ADMIN_URL: httpUrls('http://127.0.0.1:9070')
    .optional()
    .describe(
      'Admin port of the same Restate, or several with commas between them. The gateway works without it; everything else that runs alone needs it.',
    ),
  RESTATE_UI_URL: httpUrl('http://127.0.0.1:9070/ui')
    .optional()
    .describe(
      "Where an operator's browser reaches Restate's UI, for links. Without it, it is the first of RESTATE_ADMIN_URL (or the embedded admin port) with /ui.",
    ),
  FOOTFALL_ENDPOINT_URL: httpUrl('http://127.0.0.1:9080')
    .optional()
    .describe('Address at which Restate reaches the service endpoint; http://127.0.0.1:ENDPOINT_PORT when absent.'),
  ENDPOINT_HOST: text
    .default('127.0.0.1')
    .describe(
      'Address that the service endpoint and its metrics listen on. An address that other machines can reach requires RESTATE_IDENTITY_KEY_FILE.',
    ),
  GATEWAY_HOST: text
    .default('127.0.0.1')
    .describe(
      'Address that the gateway listens on. An address that other machines can reach requires a key first: ./footfall key create.',
    ),
})

export const portSettings = settingsIn('Ports', {
  GATEWAY_PORT: port.default(3000).describe('Port of the gateway (REST).'),
  RESTATE_INGRESS_PORT: port.default(8080).describe('Port of the embedded Restate ingress.'),
  RESTATE_ADMIN_PORT: port.default(9070).describe('Port of the embedded Restate admin API and UI.'),
  RESTATE_NODE_PORT: port.default(5122).describe('Port of the embedded Restate node.'),
  ENDPOINT_PORT: port.default(9080).describe('Port of the service endpoint.'),
  ENDPOINT_METRICS_PORT: port.default(9081).describe("Port of the service endpoint's metrics."),
  CONSUMER_METRICS_PORT: port.default(9082).describe('Port of the metrics of the consumer of Kafka.'),
  POSTGRES_PORT: port.default(5433).describe('Port of the embedded PostgreSQL.'),
})
